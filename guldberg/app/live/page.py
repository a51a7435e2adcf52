"""A network that runs in a page: one file, no outside address."""

from __future__ import annotations

from guldberg.app.live.model import Facts
from guldberg.app.pages import PAGES


def page(facts: Facts, title: str) -> str:
    """The page by itself."""
    return PAGES.get_template("live/page.html").render(title=title, facts=facts)


def inside(report: str, facts: Facts) -> str:
    """`report`, a page, with the live network at its end."""
    section = PAGES.get_template("live/section.html").render(facts=facts)
    before, end, after = report.rpartition("</body>")
    return f"{before}{section}\n{end}{after}"
