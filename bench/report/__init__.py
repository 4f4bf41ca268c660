"""How is it shown? Terminal, Markdown, CSV, JSON and HTML, all written from one frame."""

from bench.report.html import to_html
from bench.report.markdown import to_markdown
from bench.report.report import Report, build
from bench.report.tables import to_csv, to_json
from bench.report.terminal import print_terminal

__all__ = ["Report", "build", "print_terminal", "to_csv", "to_html", "to_json", "to_markdown"]
