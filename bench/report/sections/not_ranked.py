"""Which trials are never ranked? The pruned, diverged and failed ones, with the reason."""

from __future__ import annotations

from bench.report.comparison import Comparison
from bench.report.document import EVERYWHERE, Column, Section, Table
from bench.report.number_format import counted

KEY_DIGITS = 12


def not_ranked(comparison: Comparison) -> Section:
    """A table per status."""
    tables = []
    for status, trials in comparison.not_ranked.groupby("status", sort=True):
        n_configurations = counted(trials["label"].nunique(), "configuration")
        pruned = ", stopped early and never ranked" if status == "pruned" else ""
        tables.append(
            Table(
                name=f"not-ranked-{status}",
                title=str(status).capitalize(),
                caption=f"{counted(len(trials), f'{status} trial')} of {n_configurations}{pruned}.",
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
