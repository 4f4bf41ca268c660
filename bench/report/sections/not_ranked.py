"""Which trials are never ranked? The pruned, timed out, diverged and failed ones, with the reason."""

from __future__ import annotations

from bench.report.comparison import Comparison
from bench.report.document import EVERYWHERE, Column, Section, Table
from bench.report.grouping import status_text
from bench.report.number_format import counted

KEY_DIGITS = 12


def not_ranked(comparison: Comparison) -> Section:
    """A table per status."""
    tables = []
    for status, trials in comparison.not_ranked.groupby("status", sort=True):
        n_configurations = counted(trials["label"].nunique(), "configuration")
        name = status_text(str(status))
        stopped = ", stopped early and never ranked" if status in ("pruned", "timed_out") else ""
        tables.append(
            Table(
                name=f"not-ranked-{name.replace(' ', '-')}",
                title=name.capitalize(),
                caption=f"{counted(len(trials), f'{name} trial')} of {n_configurations}{stopped}.",
                frame=trials,
                columns=(
                    Column("label", "Configuration", lambda row: row["label"], "label"),
                    Column("seed", "Seed", lambda row: str(row["seed"])),
                    Column("epoch", "Last epoch", lambda row: str(row["epoch"])),
                    Column("reason", "Reason", lambda row: row["reason"], "text"),
                    Column("key", "Key", lambda row: row["key"][:KEY_DIGITS], "text"),
                ),
                formats=EVERYWHERE - {"latex"},
                main=True,
                in_full=True,
            )
        )
    return Section("not-ranked", "Not ranked", tuple(tables), data=lambda: {"not_ranked": comparison.not_ranked})
