"""Live pages in a real browser, beside plain integrations of the same equations; skipped where there is no Chromium."""

import re
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from guldberg.app.cli import main
from guldberg.app.live import model, page
from guldberg.app.live.model import Curve
from guldberg.drive import FlowReactor, NoisyFlow
from guldberg.errors import InputError
from guldberg.space.boundary import Dirichlet, NoFlux, Periodic, Robin
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.system import ReactionDiffusion
from guldberg.text import parse

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OWN_GRAPHICS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
NASTY = "</script><script>window.bad = 1</script>"

GRAY_SCOTT = parse("U + 2 V -> 3 V @ 1\nV -> P @ 0.06")
NINE = parse("""
    A + B <-> C @ 0.3, 0.1
    C <-> 2 D @ 0.2, 0.1
    D + E -> F @ 0.2
    F <-> G + H @ 0.1, 0.3
    2 H + A -> 3 I @ 0.2
    I -> A @ 0.1
""")
PIXEL = """([x, y]) => {
    const { gl, canvas } = guldberg, colour = new Uint8Array(4);
    gl.readPixels(x * canvas.width, y * canvas.height, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, colour);
    return [...colour];
}"""


def gray_scott(grid):
    D, feed = jnp.array([0.16, 0.08, 0.05]), jnp.array([1.0, 0, 0])
    return ReactionDiffusion(GRAY_SCOTT, grid, D, FlowReactor(0.04, feed))


def nine_species(grid):
    return ReactionDiffusion(NINE, grid, jnp.linspace(0.05, 0.3, 9))


def random_state(system, seed=0):
    return np.asarray(jax.random.uniform(jax.random.key(seed), (len(system.species), *system.grid.shape)))


def followed(system, c, seconds, dt=0.05):
    """The classical Runge-Kutta rule of fourth order."""

    def step(c, _):
        k1 = system(0.0, c)
        k2 = system(0.0, c + dt / 2 * k1)
        k3 = system(0.0, c + dt / 2 * k2)
        k4 = system(0.0, c + dt * k3)
        return c + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return np.asarray(jax.jit(lambda c: jax.lax.scan(step, c, length=round(seconds / dt))[0])(jnp.asarray(c)))


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=OWN_GRAPHICS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens a page of some facts; what goes wrong in it fails the test, and so does any request."""
    faults = []
    tabs = []

    def opened(facts, title="live", before=""):
        path = tmp_path / "live.html"
        path.write_text(page.page(facts, title))
        tab = browser.new_page(viewport={"width": 900, "height": 1000})
        tabs.append(tab)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        tab.on("request", lambda request: None if request.url.startswith("file://") else faults.append(request.url))
        if before:
            tab.add_init_script(before)
        tab.goto(path.as_uri())
        return tab

    yield opened
    for tab in tabs:
        tab.close()
    assert not faults


PLACES = {
    "torus": (gray_scott, Grid.periodic((12, 20), stencil=NinePoint())),
    "faces": (gray_scott, Grid((9, 11), 1.0, [(Dirichlet(0.4), NoFlux()), (Robin(0.1, 0.5), Dirichlet(0.2))])),
    "corners": (nine_species, Grid((8, 7), 1.0, [(Dirichlet(0.4), NoFlux()), Periodic()], stencil=NinePoint())),
    "line": (nine_species, Grid((40,), 0.7, [NoFlux()])),
}


@pytest.mark.parametrize("place", ["torus", *(pytest.param(x, marks=pytest.mark.slow) for x in PLACES if x != "torus")])
def test_a_field_goes_as_the_equation_says(place, opened):
    make, grid = PLACES[place]
    system = make(grid)
    c0 = random_state(system)
    tab = opened(model.field(system, c0, c0[None]))
    seconds = 100 if place == "torus" else 20
    shown = tab.evaluate(f"() => {{ guldberg.advance({seconds}); return [...guldberg.fields()]; }}")
    np.testing.assert_allclose(np.reshape(shown, c0.shape), followed(system, c0, seconds), rtol=0, atol=1e-3)
    assert tab.evaluate("guldberg.time") == pytest.approx(seconds)


def test_a_field_is_played_disturbed_and_reset(opened):
    system = gray_scott(Grid.periodic((16, 16)))
    c0 = random_state(system)
    tab = opened(model.field(system, c0, c0[None]))
    np.testing.assert_array_equal(np.reshape(tab.evaluate("[...guldberg.fields()]"), c0.shape), c0.astype("f4"))
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("guldberg.time > 0.2")
    tab.get_by_role("button", name="Pause").click()
    tab.get_by_label("A click").select_option("adds V")
    middle = {"x": tab.locator("canvas.place").bounding_box()["width"] / 2, "y": 20}
    tab.locator("canvas.place").click(position=middle)
    after = np.reshape(tab.evaluate("[...guldberg.fields()]"), c0.shape)
    high = np.quantile(c0[1], 0.999)
    assert (np.abs(after[1] - high) < 1e-6).sum() >= 3 and np.abs(after[1, :2, 7:9] - high).max() < 1e-6
    assert (np.abs(after[0] - high) < 1e-6).sum() < 3  # the others stay
    tab.get_by_text("Rate constants", exact=False).first.click()
    tab.get_by_label("V -> P").fill("1")
    assert tab.evaluate("guldberg.parameters.forward[1]") == pytest.approx(0.6)
    tab.get_by_role("button", name="Reset").click()
    assert tab.evaluate("[guldberg.time, guldberg.parameters.forward[1]]") == [0, 0.06]
    np.testing.assert_array_equal(np.reshape(tab.evaluate("[...guldberg.fields()]"), c0.shape), c0.astype("f4"))


def test_a_species_is_shown_in_its_own_colours(opened):
    system = gray_scott(Grid.periodic((2, 2)))
    c0 = np.zeros((3, 2, 2))
    c0[0, 0, 1] = 1.0  # above, on the right
    tab = opened(model.field(system, c0, c0[None]))
    tab.get_by_label("Show").select_option("U")
    high, low = (tab.evaluate(PIXEL, at) for at in ([0.75, 0.75], [0.25, 0.25]))  # from the lower left corner on
    np.testing.assert_allclose(high[:3], [253, 231, 37], atol=4)
    np.testing.assert_allclose(low[:3], [68, 1, 84], atol=4)


def test_what_goes_to_infinity_is_told(opened):
    system = ReactionDiffusion(parse("2 A -> 3 A @ 100"), Grid.periodic((4, 4)), jnp.array([0.1]))
    c0 = np.ones((1, 4, 4))
    tab = opened(model.field(system, c0, c0[None]))
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_selector("[role=alert]:not([hidden])")
    assert "no longer finite" in tab.locator("[role=alert]").inner_text()


@pytest.mark.parametrize("text, initial, end", [
    ("A -> B @ 0.04\n2 B -> B + C @ 3e7\nB + C -> A + C @ 1e4", [1.0, 0, 0], 40.0),
    pytest.param("E + S <-> ES @ 1e3, 1\nES -> E + P @ 0.1", [0.2, 1.0, 0, 0], 50.0, marks=pytest.mark.slow),
    pytest.param(
        "A + 2 B -> 3 B @ 1\nB <-> C @ 0.5, 0.2\n0 -> A @ 0.05", [1.0, 0.1, 0], 30.0, marks=pytest.mark.slow
    ),
])  # fmt: skip
def test_a_vessel_goes_as_the_equation_says(text, initial, end, opened):
    import diffrax

    from guldberg.system import WellMixed

    network = parse(text)
    none = np.zeros((0, len(initial)))
    curve = Curve("1", np.array(initial), none[:, 0], none)
    tab = opened(model.mixed(network, [curve], end, ("s", "M"), None))
    solver, control = diffrax.Kvaerno5(), diffrax.PIDController(1e-9, 1e-12)
    times = np.geomspace(1e-3 * end, end, 7)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(WellMixed(network)), solver, 0.0, end, 1e-6, jnp.array(initial),
        saveat=diffrax.SaveAt(ts=times), stepsize_controller=control, max_steps=100_000,
    )  # fmt: skip
    shown = np.array(tab.evaluate("times => times.map(t => guldberg.at(t))", times.tolist()))
    exact = np.asarray(solution.ys)
    assert (np.abs(shown - exact) <= 1e-3 * exact.max(axis=0)).all(), np.abs(shown - exact).max(axis=0)


def test_names_are_only_text(opened):
    network = parse(f'"{NASTY}" -> "B&<b>" @ 1')
    none = np.zeros((0, 2))
    curve = Curve(NASTY, np.array([1.0, 0]), none[:, 0], none)
    tab = opened(model.mixed(network, [curve], 3.0, (NASTY, NASTY), None), NASTY)
    assert tab.evaluate("window.bad") is None
    assert tab.title() == NASTY
    assert tab.locator("svg text").filter(has_text="B&<b>").count() == 1
    assert re.search(r"https?://(?!www\.w3\.org/2000/svg)", tab.content()) is None


def test_a_browser_without_graphics_says_so(opened):
    system = gray_scott(Grid.periodic((4, 4)))
    c0 = random_state(system)
    tab = opened(model.field(system, c0, c0[None]), before="HTMLCanvasElement.prototype.getContext = () => null;")
    assert "it has no WebGL2" in tab.locator("[role=alert]").inner_text()


def test_a_noisy_flow_is_its_mean():
    feed = jnp.array([1.0, 0, 0])
    grid = Grid.periodic((4, 4))
    system = ReactionDiffusion(GRAY_SCOTT, grid, jnp.full(3, 0.1), NoisyFlow(0.1, feed))
    flow = model.field(system, random_state(system), random_state(system)[None])["flow"]
    np.testing.assert_allclose(flow["outflow"], [0.5] * 3)  # .1 + u, u uniform from 0 to .8
    np.testing.assert_allclose(flow["inflow"], [0.5, 0, 0])


def test_what_no_page_can_show():
    box = gray_scott(Grid.periodic((2, 3, 4)))
    with pytest.raises(InputError, match="one or two dimensions"):
        model.field(box, random_state(box), random_state(box)[None])
    torus = gray_scott(Grid.periodic((2, 3)))
    here_and_there = ReactionDiffusion(GRAY_SCOTT, torus.grid, jnp.ones(3), FlowReactor(jnp.eye(2, 3), jnp.ones(3)))
    with pytest.raises(InputError, match="differs from place to place"):
        model.field(here_and_there, random_state(torus), random_state(torus)[None])


def status(*typed):
    with pytest.raises(SystemExit) as end:
        main(list(typed))
    return end.value.code


@pytest.mark.slow
def test_the_page_of_a_run_from_its_command(browser, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("truth.crn").write_text("A -> B @ 0.5\ninitial: A = 1\n")
    simulate = ["simulate", "truth.crn", "--to", "6", "--points", "9", "--initial", "A=1", "--initial", "A=2,B=1"]
    for command in ([*simulate, "--out", "data.csv"], ["discover", "data.csv", "--out", "found", "--quiet"]):
        assert status(*command) == 0
    for command, name in ((["view", "found"], "live.html"), (["report", "found", "--live"], "report.html")):
        assert status(*command) == 0
        assert capsys.readouterr().out.endswith(f"found/{name}\n")
        tab = browser.new_page()
        tab.goto((tmp_path / "found" / name).as_uri())
        tab.get_by_label("Run").select_option(index=1)
        ends = tab.evaluate("guldberg.at(6)")
        assert ends == pytest.approx([2 * np.exp(-3), 3 - 2 * np.exp(-3)], rel=1e-3)
        assert tab.locator(".live svg circle").count() == 18  # the measurements
        tab.close()
