"""What would ensembles and temperature scaling give? A table of its own: none of its rows is ranked."""

from __future__ import annotations

import math

from bench.errors import plural
from bench.report.comparison import Comparison
from bench.report.document import Cell, Column, Row, Section, Table
from bench.report.ensemble_rows import MAX_CONFIGURATIONS, ensemble_frame
from bench.report.estimates import validation_mean
from bench.statistics.temperature_scaling import RESAMPLES

CAPTION = (
    "Computed from the stored probabilities of the test images: nothing was trained for it, and no row is ranked among "
    "the configurations above. At most {count} configurations, {order}: single networks (means over them), and the "
    "ensemble of their seeds, whose probabilities are the mean of the networks' (Lakshminarayanan et al. 2017). An "
    "ensemble of n networks costs n times as much to train and to use. Brackets: 95 % intervals for new images, 1.96 "
    "standard errors of a bootstrap of {resamples:,} resamples of the test images; other seeds are not in them. "
    "Probabilities are stored in half precision, so that last digits may differ from those of other tables. "
)
VALIDATED, NOT_VALIDATED = "the best on validation", "the first by name, since none was validated"
TEMPERATURE = (
    "Temperature scaling (Guo et al. 2017) divides all logits by T, which was fitted on the {images:,} validation "
    "images (single networks: each its own, the mean is displayed); T above 1 says that the networks were "
    "overconfident. It changes no prediction, so accuracy stays. These images also selected the configuration."
)
NO_TEMPERATURE = (
    "There is no temperature without probabilities of validation images that the tested networks did not train on "
    "(validation: none, a refit, or records that were made before these were stored)."
)


def ensembles(comparison: Comparison) -> Section:
    """The table; JSON has its frame, with the keys of the networks."""
    frame = ensemble_frame(comparison.ensembles)
    is_scaled = bool(frame["temperature"].notna().any())
    means = [validation_mean(configuration, comparison.metrics[0]) for configuration in comparison.group.configurations]
    order = NOT_VALIDATED if all(map(math.isnan, means)) else VALIDATED
    caption = CAPTION.format(count=MAX_CONFIGURATIONS, order=order, resamples=RESAMPLES)
    caption += TEMPERATURE.format(images=int(frame["temperature_images"].max())) if is_scaled else NO_TEMPERATURE
    columns = [
        Column("label", "Networks", _name, "text"),
        Column("accuracy", "Accuracy %", lambda row: _value(row, "accuracy", 100.0)),
        Column("log_loss", "NLL", lambda row: _value(row, "log_loss")),
        Column("brier_score", "Brier score", lambda row: _value(row, "brier_score")),
        Column("ece", "ECE %", lambda row: _value(row, "ece", 100.0)),
    ]
    if is_scaled:
        columns += [
            Column(
                "temperature", "T", lambda row: "–" if math.isnan(row["temperature"]) else f"{row['temperature']:.2f}"
            ),
            Column("log_loss_scaled", "NLL with T", lambda row: _value(row, "log_loss", 1.0, "_scaled")),
            Column("brier_score_scaled", "Brier score with T", lambda row: _value(row, "brier_score", 1.0, "_scaled")),
            Column("ece_scaled", "ECE % with T", lambda row: _value(row, "ece", 100.0, "_scaled")),
        ]
    table = Table("ensembles", "Ensembles and temperature", caption, frame, tuple(columns), folded=True)
    return Section(
        "ensembles",
        "Ensembles and temperature",
        (table,),
        data=lambda: {"ensembles": frame} if len(frame) else {},
    )


def _name(row: Row) -> str:
    if row["kind"] == "ensemble":
        return f"ensemble of {row['networks']}: {row['label']}"
    return f"{plural(row['networks'], 'single network')}: {row['label']}"


def _value(row: Row, metric: str, factor: float = 1.0, suffix: str = "") -> Cell:
    value, low, high = (factor * row[f"{metric}{bound}{suffix}"] for bound in ("", "_low", "_high"))
    if math.isnan(value):
        return Cell("–")
    digits = 2 if factor > 1 else 3
    return Cell(f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]", order=value)
