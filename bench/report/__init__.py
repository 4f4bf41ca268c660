"""How is it shown? Terminal, Markdown, CSV, JSON and HTML, all written from one frame.

What is named here is found when it is asked for: who wants sections or curves alone need not wait for charts.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.report.html import to_html
    from bench.report.markdown import to_markdown
    from bench.report.report import Report, build
    from bench.report.tables import to_csv, to_json
    from bench.report.terminal import print_terminal

__all__ = ["Report", "build", "print_terminal", "to_csv", "to_html", "to_json", "to_markdown"]

_PLACES = {"Report": "report", "build": "report", "print_terminal": "terminal", "to_csv": "tables", "to_html": "html",
           "to_json": "tables", "to_markdown": "markdown"}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'bench.report' has no attribute {name!r}")
    return getattr(import_module(f"bench.report.{_PLACES[name]}"), name)
