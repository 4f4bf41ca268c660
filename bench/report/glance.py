"""What a reader wants to know first, beside the verdict: where the leading configuration errs, and how others did."""

from __future__ import annotations

from bench.report.cells import counted, percent
from bench.report.report import Comparison

PAIRS = 3
NAMED = 3


def glance(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """Headings with a sentence each; what is not known is left out."""
    found = (("Where it errs", errors(comparison)), ("Beside published", beside_published(comparison)))
    return tuple((heading, text) for heading, text in found if text)


def errors(comparison: Comparison) -> str:
    """The classes that the first of the details, the chosen one where there was a choice, confuses most."""
    if not comparison.details or not comparison.details[0].confused_pairs:
        return ""
    first = comparison.details[0]
    pairs = first.confused_pairs[:PAIRS]
    named = [f"{percent(pair.fraction)} % of {pair.true} predicted as {pair.predicted}" for pair in pairs]
    of = "" if first.selected else f" ({first.label})"
    return f"{', '.join(named)}{of}."


def beside_published(comparison: Comparison) -> str:
    """How many published accuracies lie above, within and below our intervals on new images, and the nearest above."""
    table = comparison.analysis.placements
    placed = table[table["place"] != "not placed"]
    if placed.empty:
        return ""
    comparisons = []
    for place in ("above", "within", "below"):
        some = placed[placed["place"] == place]
        if not some.empty:
            names = [f"{row['published']} {percent(row['value'])}" for row in some.to_dict("records")[:NAMED]]
            more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
            comparisons.append(f"{len(some)} {place} ({', '.join(names)}{more})")
    figures = counted(len(placed), "published figure")
    return f"Of {figures}, held against our 95 % interval on new images: {'; '.join(comparisons)}."
