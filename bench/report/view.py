"""A report in Python: displayed in a notebook's cell or a browser, or saved as a file."""

from __future__ import annotations

import html
import tempfile
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.errors import UserError
from bench.report.csv_json import to_csv, to_json
from bench.report.document import Report
from bench.report.html import to_html
from bench.report.latex import to_latex
from bench.report.markdown import to_markdown

WRITERS: dict[str, Callable[[Report], str]] = {
    ".html": to_html,
    ".md": to_markdown,
    ".csv": to_csv,
    ".json": to_json,
    ".tex": to_latex,
}


@dataclass(frozen=True, eq=False)
class ReportView:
    """A report that was built; `bench.report` makes it."""

    report: Report

    def __repr__(self) -> str:
        return f"ReportView({self.report.title!r}, {len(self.report.keys)} trials); .show() displays it, .save() writes"

    @property
    def frame(self) -> pd.DataFrame:
        """The leaderboards below one another, as `bench report --csv` writes them; accuracies are fractions."""
        return self.report.frame

    def show(self, height: int = 800) -> None:
        """Display the page: in the cell of a notebook, as high as `height` pixels, else in the browser."""
        page = to_html(self.report)
        if Console().is_jupyter:
            from IPython.display import HTML, display

            # Its own document, so that neither's styles reach the other; a page asks for nothing from outside.
            frame = (
                f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts allow-downloads allow-popups" '
                f'width="100%" height="{int(height)}" style="border:0"></iframe>'
            )
            display(HTML(frame))  # type: ignore[no-untyped-call]
            return
        path = Path(tempfile.mkdtemp(prefix="bench-report-")) / "report.html"
        path.write_text(page, encoding="utf-8", errors="replace")
        if not webbrowser.open(path.as_uri()):
            print(f"wrote {path}: open it in a browser")

    def save(self, path: str | Path) -> Path:
        """Write it as .html, .md, .csv, .json or .tex, by the path's ending; the path.

        Raises
        ------
        UserError
            Another ending, or a path that cannot be written.
        """
        target = Path(path)
        if target.suffix not in WRITERS:
            raise UserError(f"{target}: a report is saved as {', '.join(WRITERS)}; give the file one of these endings")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(WRITERS[target.suffix](self.report), encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(f"{target}: cannot be written: {error.strerror}; choose another path") from error
        return target
