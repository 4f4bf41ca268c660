"""Is a leader right as often as it says? Accuracy against confidence, bin by bin."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench.metrics import ECE_BINS
from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.series import colour, series, shape
from bench.report.charts.theme import GREY
from bench.report.report import Comparison

TITLE = "Reliability of confidences"
MOST = 4
"""More lines than these hide one another."""

LEAST = 10
"""A bin of fewer images (of one seed) is left out: its accuracy is noise."""

SIDE = 300


def calibration(comparison: Comparison) -> Figure | LeftOut:
    """The reliability diagram of the leaders whose confidences were kept."""
    rows = frame(comparison)
    if not len(rows):
        return LeftOut(TITLE, "no leader's confidences were kept", "calibration")
    errors = [f"{label} {100 * ece:.2f} %" for label, ece in rows.groupby("label", sort=False)["ece"].first().items()]
    caption = (
        f"Share of right answers among the test images whose top confidence falls into one of {ECE_BINS} equally wide "
        "bins, all seeds together, against the mean confidence in it; larger marks: more images. Below the dashed line "
        "a network claims more than it knows, above it less. "
        f"Bins of fewer than {LEAST} images are left out of the image, not of the error. "
        f"Expected calibration error, mean over seeds: {'; '.join(errors)}. "
        "Calibration on this test set says nothing of images of another kind."
    )
    return Figure("calibration", TITLE, caption, _chart(rows, comparison), "calibration")


def frame(comparison: Comparison) -> pd.DataFrame:
    """A row per leader and bin with enough images: label, name, confidence, accuracy (percent), images, ece."""
    known = {one.label: one for one in comparison.details}
    drawn = [one for one in series(comparison) if one.label in known and len(known[one.label].calibration)][:MOST]
    comparisons = [
        known[one.label].calibration.assign(label=one.label, name=one.name, ece=known[one.label].ece) for one in drawn
    ]
    columns = ["label", "name", "confidence", "accuracy", "images", "ece"]
    if not comparisons:
        return pd.DataFrame(columns=columns)
    rows = pd.concat(comparisons, ignore_index=True).rename(columns={"count": "images"})
    rows = rows[rows["images"] >= LEAST].assign(
        confidence=lambda found: 100 * found["confidence"], accuracy=lambda found: 100 * found["accuracy"]
    )
    return rows[columns].reset_index(drop=True)


def _chart(rows: pd.DataFrame, comparison: Comparison) -> alt.LayerChart:
    there = tuple(one for one in series(comparison) if one.label in set(rows["label"]))
    scale = alt.Scale(domain=[0, 100], nice=False)
    ends = alt.Chart(values(pd.DataFrame({"end": [0, 100]})))
    base = alt.Chart(values(rows)).encode(
        x=alt.X("confidence:Q", scale=scale, title="mean confidence in %"),
        y=alt.Y("accuracy:Q", scale=scale, title="right answers in %"),
        color=colour("name", there),
        tooltip=[
            alt.Tooltip("label:N", title="configuration"),
            alt.Tooltip("confidence:Q", title="mean confidence in %", format=".1f"),
            alt.Tooltip("accuracy:Q", title="right in %", format=".1f"),
            alt.Tooltip("images:Q", title="test images per seed", format=",.0f"),
        ],
    )
    marks = base.mark_point(filled=True, opacity=0.85).encode(
        shape=shape("name", there),
        size=alt.Size("images:Q", scale=alt.Scale(type="sqrt", range=[25, 160]), legend=None),
    )
    diagonal = ends.mark_line(color=GREY, strokeDash=[5, 4]).encode(
        x=alt.X("end:Q", scale=scale), y=alt.Y("end:Q", scale=scale)
    )
    layers = [diagonal, base.mark_line(strokeWidth=1.2, opacity=0.7), marks]
    return alt.LayerChart(layer=layers, width=SIDE, height=SIDE)
