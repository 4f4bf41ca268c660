"""How is the metric that ranks written on an axis?"""

from __future__ import annotations

import pandas as pd

from bench.metrics import METRICS


def axis_title(part: str, metric: str) -> str:
    """``test accuracy in %``; says so where lower is better."""
    kind = METRICS[metric]
    return f"{part} {kind.heading}{' in %' if kind.percent else ''}{', lower is better' if kind.ascending else ''}"


def difference_title(metric: str) -> str:
    """What a difference of two figures is counted in."""
    kind = METRICS[metric]
    unit = "percentage points" if kind.percent else kind.heading
    return f"{unit}, {'lower' if kind.ascending else 'higher'} is better"


def shown(figures: pd.Series[float], metric: str) -> pd.Series[float]:
    """Fractions in percent, other figures as they are."""
    return figures * 100 if METRICS[metric].percent else figures
