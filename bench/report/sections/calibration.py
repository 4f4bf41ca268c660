"""Are confidences calibrated? A reliability diagram, and calibration errors."""

from __future__ import annotations

import pandas as pd

from bench.metrics import ECE_BINS
from bench.report.charts.drawing import chart_data
from bench.report.charts.style import GREY, alt, colour, shape, top_series
from bench.report.classes.class_tables import with_confidences
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Section, Table
from bench.report.number_format import number, percent, points

TITLE = "Reliability diagram"
MAX_SERIES = 4
"""More lines than these hide one another."""

MIN_IMAGES = 10
"""A bin of fewer images (of one seed) is left out: its accuracy is noise."""

SIDE = 230


def calibration(comparison: Comparison) -> Section:
    """The diagram, and a row per configuration with confidences."""
    columns = ["label", "accuracy", "mean_confidence", "ece", "ece_calibrated", "nll"]
    details = [[getattr(d, name) for name in columns] for d in with_confidences(comparison)]
    table = Table(
        name="calibration",
        title="Calibration",
        caption=(
            "Means over seeds, on the test images. A network whose mean confidence is above its accuracy is "
            f"overconfident. ECE is the expected calibration error over {ECE_BINS} equally wide bins; next to it what "
            "chance alone makes of it on so many images if the network is perfectly calibrated. NLL is the mean "
            "negative log-likelihood of the true class: lower is better."
        ),
        frame=pd.DataFrame(details, columns=columns),
        columns=(
            Column("label", "Configuration", lambda row: row["label"], "label"),
            Column("accuracy", "Accuracy %", lambda row: percent(row["accuracy"])),
            Column("confidence", "Mean confidence %", lambda row: percent(row["mean_confidence"])),
            Column("difference", "Difference", lambda row: points(row["mean_confidence"] - row["accuracy"])),
            Column("ece", "ECE %", lambda row: percent(row["ece"])),
            Column("ece_calibrated", "ECE % if calibrated", lambda row: percent(row["ece_calibrated"])),
            Column("nll", "NLL", lambda row: number(row["nll"], "log_loss")),
        ),
    )
    return Section("calibration", "Calibration", (table,), draw=lambda: (reliability_chart(comparison),))


def reliability_chart(comparison: Comparison) -> Chart | OmittedChart:
    """The reliability diagram of the top configurations with confidences."""
    rows = reliability_bins(comparison)
    if not len(rows):
        return OmittedChart(TITLE, "no top configuration has confidences")
    first = rows.groupby("label", sort=False)[["ece", "ece_calibrated"]].first()
    errors = [
        f"{label} {100 * ece:.2f} % ({100 * chance:.2f} % if calibrated)"
        for label, ece, chance in first.itertuples(name=None)
    ]
    caption = (
        f"Accuracy of the test images whose confidence falls into one of {ECE_BINS} equally wide "
        "bins, all seeds together, against the mean confidence in it; larger marks: more images. Below the dashed line "
        "a network is overconfident, above it underconfident. "
        f"Bins of fewer than {MIN_IMAGES} images are not drawn, but are part of the error. "
        f"Expected calibration error, mean over seeds: {'; '.join(errors)}. "
        "Calibration on this test set says nothing of images of another kind."
    )
    return Chart("calibration", TITLE, caption, _reliability_layers(rows, comparison))


def reliability_bins(comparison: Comparison) -> pd.DataFrame:
    """A row per top configuration and bin: label, name, confidence, accuracy (percent), images, both errors."""
    by_label = {d.label: d for d in comparison.details if len(d.calibration)}
    drawn = [series for series in top_series(comparison) if series.label in by_label][:MAX_SERIES]
    parts = [
        details.calibration.assign(
            label=series.label, name=series.name, ece=details.ece, ece_calibrated=details.ece_calibrated
        )
        for series in drawn
        for details in [by_label[series.label]]
    ]
    columns = ["label", "name", "confidence", "accuracy", "images", "ece", "ece_calibrated"]
    if not parts:
        return pd.DataFrame(columns=columns)
    rows = pd.concat(parts, ignore_index=True).rename(columns={"count": "images"})
    rows = rows[rows["images"] >= MIN_IMAGES].assign(
        confidence=lambda bins: 100 * bins["confidence"], accuracy=lambda bins: 100 * bins["accuracy"]
    )
    return rows[columns].reset_index(drop=True)


def _reliability_layers(rows: pd.DataFrame, comparison: Comparison) -> alt.LayerChart:
    drawn = tuple(series for series in top_series(comparison) if series.label in set(rows["label"]))
    scale, axis = alt.Scale(domain=[0, 100], nice=False), alt.Axis(tickCount=5)
    ends = alt.Chart(chart_data(pd.DataFrame({"end": [0, 100]})))
    base = alt.Chart(chart_data(rows)).encode(
        x=alt.X("confidence:Q", scale=scale, axis=axis, title="mean confidence in %"),
        y=alt.Y("accuracy:Q", scale=scale, axis=axis, title="accuracy in %"),
        color=colour("name", drawn),
        tooltip=[
            alt.Tooltip("label:N", title="configuration"),
            alt.Tooltip("confidence:Q", title="mean confidence in %", format=".1f"),
            alt.Tooltip("accuracy:Q", title="accuracy in %", format=".1f"),
            alt.Tooltip("images:Q", title="test images per seed", format=",.0f"),
        ],
    )
    marks = base.mark_point(filled=True, opacity=0.85).encode(
        shape=shape("name", drawn),
        size=alt.Size("images:Q", scale=alt.Scale(type="sqrt", range=[25, 160]), legend=None),
    )
    diagonal = ends.mark_line(color=GREY, strokeDash=[5, 4]).encode(
        x=alt.X("end:Q", scale=scale), y=alt.Y("end:Q", scale=scale)
    )
    layers = [diagonal, base.mark_line(strokeWidth=1.2, opacity=0.7), marks]
    return alt.LayerChart(layer=layers, width=SIDE, height=SIDE)
