"""How is it shown? Records become comparisons, each comparison sections, and renderers write them.

- `grouping` (which trials may be compared), `estimates` (metrics of records and means over seeds), `analysis` (what the
  predictions tell), `leaderboard_frame` (a row per configuration), `epoch_curves` (a row per epoch), `comparison` (all
  of these, of one data set and protocol), `build_report` (builds everything).
- `document` has what a report is made of: sections, tables, columns, charts. `sections` has a file per section, and the
  list of them; `classes` what is computed class by class; `charts` what all charts share; `number_format` how numbers
  are written.
- Renderers: `html` (with what all pages share), `markdown`, `latex`, `terminal`, `csv_json`.
- `record_text` prints a single trial, `show_dataset` is of the data; `compare` and `published` serve commands of the
  same names.

Names are imported when they are first used: who wants grouping alone need not wait for charts.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.report.build_report import build
    from bench.report.csv_json import to_csv, to_json
    from bench.report.document import Report
    from bench.report.html import to_html
    from bench.report.markdown import to_markdown
    from bench.report.terminal import print_terminal

__all__ = ["Report", "build", "print_terminal", "to_csv", "to_html", "to_json", "to_markdown"]

_MODULES = {"Report": "document", "build": "build_report", "print_terminal": "terminal", "to_csv": "csv_json",
            "to_html": "html", "to_json": "csv_json", "to_markdown": "markdown"}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'bench.report' has no attribute {name!r}")
    return getattr(import_module(f"bench.report.{_MODULES[name]}"), name)


class CallablePackage(ModuleType):
    """This package as a function: `bench.report(results)` is `bench.interface.report`."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return import_module("bench.interface").report(*arguments, **options)


sys.modules[__name__].__class__ = CallablePackage
