"""Files as crashes, bad disks, editors and bad will leave them."""

import hypothesis.strategies as st

PIECES = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\n\n", b"\r", b"'", b'"', b"<", b">", b"&", b"{", b"}", b"[", b"]", b",",
    b";", b"1e999", b"-1e-999", b"nan", b"9" * 400, b"-", b"@", b"->", b"<->", b"#", b"=", b"\\", b"%s", b"../../x",
    b"'; --", b"<script>", "А".encode(), "é".encode("latin-1"), b"A" * 10_000,
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` after one to three accidents: cut off, a byte changed, a piece lost, doubled, moved or put in."""
    data = whole
    for _ in range(draw(st.integers(1, 3))):
        a, b = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        accident = draw(st.sampled_from(["cut", "byte", "lost", "doubled", "moved", "piece", "noise"]))
        if accident == "cut":
            data = data[:a]
        elif accident == "byte" and a < len(data):
            data = data[:a] + bytes([draw(st.integers(0, 255))]) + data[a + 1 :]
        elif accident == "lost":
            data = data[:a] + data[b:]
        elif accident == "doubled":
            data = data[:b] + data[a:b] + data[b:]
        elif accident == "moved":
            data = data[a:b] + data[:a] + data[b:]
        elif accident == "piece":
            data = data[:a] + draw(st.sampled_from(PIECES)) + data[a:]
        else:
            data = data[:a] + draw(st.binary(max_size=20)) + data[a:]
    return data
