"""How do published accuracies compare? The measured one lies above, within or below, never with a p-value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.jsonutil import canonical
from bench.published.reference_data import Reference
from bench.report.comparison import Comparison
from bench.report.document import Column, Section, Table
from bench.report.estimates import seed_values, validation_mean
from bench.report.grouping import Config, Configuration
from bench.report.leaderboard_frame import NEVER_RANKED
from bench.report.number_format import NOTHING, counted, percent, points, points_interval
from bench.report.published.published_noise import compare_values, first_sufficient, half_unit, other_images
from bench.statistics.intervals import Interval
from bench.statistics.means import new_images
from bench.statistics.versus_published import published_gap

MEAN = "mean_of_runs"
"""The flag of values that are no single run's: those get no interval."""

NOT_COMPARED = "not compared"
POSITIONS = {
    "above": "above",
    "within": "within the noise of",
    "inconclusive": "too noisy to tell from",
    "below": "below",
}
"""Where a measured value lies, as the start of a sentence's part."""

MAX_NAMED = 3

COLUMNS = ("published", "id", "value", "configuration", "reproduces", "mean", "mean_low", "mean_high", "position",
           "gap", "gap_low", "gap_high", "images", "flags", "url")  # fmt: skip
"""`reproduces` says whether the `configuration` compared reproduces the published one, or is only the first of the top.

`mean` is that configuration's test accuracy, with its interval on new images; `gap` is it minus the published value,
`position` whether it lies above, within or below that.
"""


def published_results(comparison: Comparison) -> Section:
    """A table of published accuracies next to those measured here."""
    frame = published_frame(comparison)
    table = Table(
        name="published",
        title="Published results",
        caption=(
            "The measured test accuracy minus the published one, in points: of the configuration that reproduces the "
            "published one where the suite names it, by the seed noise alone as both saw the same images (t √(s² (1 / "
            "seeds + 1))); else of the first top configuration, on new images, with Wilson's interval of a published "
            "single run. The flags say what differs; another preprocessing or budget may explain any gap."
        ),
        frame=frame,
        columns=(
            Column("published", "Published", lambda row: f"{row['published']} ({row['id']})", "text"),
            Column("value", "Published %", lambda row: percent(row["value"])),
            Column("position", "Measured is", lambda row: row["position"], "text"),
            Column("gap", "Difference", lambda row: points(row["gap"])),
            Column("interval", "95 % of it", lambda row: points_interval(row["gap_low"], row["gap_high"])),
            Column("mean", "Measured %", lambda row: percent(row["mean"])),
            Column("configuration", "By", lambda row: row["configuration"], "label"),
            Column("reproduces", "Reproduces it", lambda row: "yes" if row["reproduces"] else "no", "text"),
            Column("flags", "Flags", lambda row: row["flags"] or NOTHING, "text"),
        ),
    )
    return Section("published", "Published results", (table,), data=lambda: {"findings": {"published": frame}})


def published_frame(comparison: Comparison) -> pd.DataFrame:
    """`COLUMNS`, the highest published value first.

    Published results with a test accuracy count; of refuted ones the value is displayed and not compared. Each is
    compared with the configuration that reproduces it, the best on validation of several, else with the first of the
    top configurations.
    """
    analysis, deciding = comparison.analysis, comparison.deciding.analysis
    is_fresh = comparison.deciding is not comparison
    deciding_frame = comparison.deciding.frame
    first = (
        deciding_frame.loc[deciding_frame["selected"], "label"].iloc[0] if is_fresh else next(iter(analysis.top), None)
    )
    rows = []
    for reference in comparison.references:
        wrong_metric = reference.part != "test" or reference.metric_name != "accuracy"
        if analysis.estimates is None or wrong_metric or reference.value is None:
            continue
        reproduction = _reproduction(analysis.compared, comparison.reproductions.get(reference.id, ()))
        by = deciding if reproduction is None and deciding.estimates is not None else analysis
        label = reproduction or first
        if label is not None and by.estimates is not None:
            measured = new_images(by.estimates, by.indices[label])
            row = _row(reference, reference.value, measured, by.estimates.images)
            if reproduction is not None:
                row |= _reproduced(comparison, analysis.compared[analysis.indices[label]], reference)
            name = f"{label} (fresh seeds)" if is_fresh and reproduction is None else label
            rows.append({**row, "configuration": name, "reproduces": reproduction is not None})
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"images": "Int64"})
    return frame.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def published_sentence(comparison: Comparison) -> str:
    """Above, within and below how many published accuracies the measured ones lie, by name."""
    frame = published_frame(comparison)
    frame = frame[frame["position"] != NOT_COMPARED]
    parts = []
    for position, rows in frame.groupby("position"):
        names = [f"{row['published']} {percent(row['value'])}" for row in rows.to_dict("records")[:MAX_NAMED]]
        more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
        parts.append((list(POSITIONS).index(str(position)), len(rows), position, ", ".join(names) + more))
    if not parts:
        return ""
    texts = [f"{POSITIONS[str(position)]} {n} ({names})" for _, n, position, names in sorted(parts)]
    return f"Of {counted(len(frame), 'published value')}, the measured accuracy is {'; '.join(texts)}."


def _reproduction(compared: Sequence[Configuration], configs: Sequence[Config]) -> str | None:
    """The label of the configuration that reproduces a published result."""
    wanted = {canonical(config) for config in configs}
    candidates = [configuration for configuration in compared if canonical(configuration.config) in wanted]
    if len(candidates) > 1:
        candidates = [configuration for configuration in candidates if not math.isnan(validation_mean(configuration))]
    return max(candidates, key=validation_mean).label if candidates else None


def _reproduced(comparison: Comparison, configuration: Configuration, reference: Reference) -> dict[str, object]:
    """Position and gap by seed noise, as on the page of published systems that `bench published` writes."""
    if NEVER_RANKED in reference.flags:
        return {}
    same_network = [
        seed_values(other)
        for other in comparison.group.configurations
        if all(other.config[axis] == configuration.config[axis] for axis in ("model", "dataset"))
    ]
    compared = compare_values(
        seed_values(configuration),
        reference.value,
        "accuracy",
        first_sufficient(("suite", same_network)),
        comparison.analysis.correctness.images,
        other_images(configuration.config, reference),
        half_unit(reference),
    )
    if compared.agreement is None:
        return {}
    gap, half_width = compared.agreement.difference, compared.agreement.half_width
    return {"position": compared.verdict, "gap": gap, "gap_low": gap - half_width, "gap_high": gap + half_width}


def _row(reference: Reference, value: float, measured: Interval, images: int) -> dict[str, Any]:
    single = MEAN not in reference.flags
    versus = None if NEVER_RANKED in reference.flags else published_gap(value, measured, images if single else None)
    return {
        "published": reference.model,
        "id": reference.id,
        "value": value,
        "mean": measured.estimate,
        "mean_low": measured.low,
        "mean_high": measured.high,
        "position": versus.position if versus else NOT_COMPARED,
        "gap": measured.estimate - value,
        "gap_low": versus.gap.low if versus else math.nan,
        "gap_high": versus.gap.high if versus else math.nan,
        "images": images if single else None,
        "flags": "; ".join(flag.replace("_", " ") for flag in reference.flags),
        "url": reference.url or "",
    }
