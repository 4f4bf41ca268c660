"""What do the words mean? Each in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.report.comparison import Comparison, Origin
from bench.report.document import Column, Section, Table
from bench.report.terms import TERMS


def glossary(comparisons: Sequence[Comparison], _: Origin) -> Section:
    """A row per term; nothing for an empty report."""
    table = Table(
        name="glossary",
        title="Glossary",
        caption="",
        frame=pd.DataFrame([(term, TERMS[term]) for term in sorted(TERMS, key=str.lower)], columns=["term", "meaning"]),
        columns=(
            Column("term", "Term", lambda row: row["term"], "text"),
            Column("meaning", "Meaning", lambda row: row["meaning"], "text"),
        ),
        formats=frozenset({"page"}),
    )
    return Section("glossary", "Glossary", (table,) if comparisons else (), folded=True, data=dict)
