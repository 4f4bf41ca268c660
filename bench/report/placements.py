"""Where do published accuracies lie against ours? Above, within or below, never with a p-value."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.published.catalogue import Reference
from bench.report.frame import NEVER_RANKED
from bench.statistics.placement import placement
from bench.statistics.seeds import Interval

MEAN = "mean_of_runs"
"""The flag of figures that are no single run's: those get no interval of their own."""

COLUMNS = ("published", "id", "value", "against", "ours", "ours_low", "ours_high", "place", "gap", "gap_low", "gap_high",
           "images", "flags", "url")  # fmt: skip


def placements(references: Sequence[Reference], label: str, ours: Interval | None, images: int) -> pd.DataFrame:
    """`COLUMNS`, the highest published figure first: `gap` is theirs minus ours, `place` theirs against ours.

    Parameters
    ----------
    references
        Those with a test accuracy count; of refuted claims the figure is shown and not placed.
    label, ours
        The configuration of ours that they are held against, and its interval on new images.
    images
        How many test images both used; a single run's figure gets Wilson's interval on so many.
    """
    rows = []
    told = [one for one in references if one.part == "test" and one.figure == "accuracy" and one.value is not None]
    for one in told if ours else ():
        assert one.value is not None and ours is not None
        single = MEAN not in one.flags
        found = None if NEVER_RANKED in one.flags else placement(one.value, ours, images if single else None)
        rows.append(
            {
                "published": one.model,
                "id": one.id,
                "value": one.value,
                "against": label,
                "ours": ours.estimate,
                "ours_low": ours.low,
                "ours_high": ours.high,
                "place": found.place if found else "not placed",
                "gap": one.value - ours.estimate,
                "gap_low": found.gap.low if found else float("nan"),
                "gap_high": found.gap.high if found else float("nan"),
                "images": images if single else None,
                "flags": "; ".join(flag.replace("_", " ") for flag in one.flags),
                "url": one.url or "",
            }
        )
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"images": "Int64"})
    return frame.sort_values("value", ascending=False, kind="stable", ignore_index=True)
