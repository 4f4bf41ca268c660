"""What would ensembles and temperature scaling give? Rows of their own kind, from the probabilities in the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.metrics import METRICS, LabelledProbabilities, Predictions
from bench.report.estimates import validation_mean
from bench.report.grouping import Configuration, TrialGroup
from bench.statistics.intervals import Interval
from bench.statistics.temperature_scaling import METRICS as SCORED
from bench.statistics.temperature_scaling import (
    Temperature,
    fit_temperature,
    image_counts,
    mean_probabilities,
    score,
    with_temperature,
)

MAX_CONFIGURATIONS = 4
"""Those with the highest means on validation; each takes a fraction of a second."""
BEST = 3
"""Configurations of the ensemble of the best."""
MAX_IMAGES, MAX_VALUES = 60_000, 30_000_000
"""Test images, and these times classes, above which nothing is computed: it would take more than a GiB."""

COLUMNS = (
    *("label", "kind", "networks", "keys", "temperature", "temperature_images"),
    *(f"{metric}{bound}{part}" for part in ("", "_scaled") for metric in SCORED for bound in ("", "_low", "_high")),
)
"""Of the frame: fractions, and nan where there is no temperature; ``_scaled`` is after temperature scaling."""

ValidationOf = Callable[[str], LabelledProbabilities | None]
"""From a trial's key to the probabilities of its validation part."""


@dataclass(frozen=True)
class ProbabilityRow:
    """Single networks, or an ensemble of them, and their metrics on the test images.

    `kind` is ``single networks`` (metrics are means over them, each with a temperature of its own) or ``ensemble``.
    `after` holds the metrics after temperature scaling; None without `temperatures`.
    """

    label: str
    kind: Literal["single networks", "ensemble"]
    keys: tuple[str, ...]
    before: dict[str, Interval]
    temperatures: tuple[Temperature, ...]
    after: dict[str, Interval] | None

    def columns(self) -> Mapping[str, object]:
        """A row of the frame; temperatures as their mean."""
        values: dict[str, object] = {
            "label": self.label,
            "kind": self.kind,
            "networks": len(self.keys),
            "keys": ",".join(self.keys),
        }
        temperature = [fitted.value for fitted in self.temperatures]
        values["temperature"] = float(np.mean(temperature)) if temperature else math.nan
        values["temperature_images"] = self.temperatures[0].images if temperature else 0
        for suffix, scores in (("", self.before), ("_scaled", self.after)):
            for metric in SCORED:
                interval = scores[metric] if scores else Interval(math.nan, math.nan, math.nan)
                values |= {
                    f"{metric}{suffix}": interval.estimate,
                    f"{metric}_low{suffix}": interval.low,
                    f"{metric}_high{suffix}": interval.high,
                }
        return values


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of some configurations: predictions of the same test images, and of the same validation part.

    `validation` is None where a network has no such part, or where they differ.
    """

    label: str
    keys: tuple[str, ...]
    test: tuple[Predictions, ...]
    validation: tuple[LabelledProbabilities, ...] | None


def ensemble_rows(
    group: TrialGroup, predictions: Callable[[str], Predictions], validation: ValidationOf, metric: str = "accuracy"
) -> tuple[ProbabilityRow, ...]:
    """Single networks and ensembles of the configurations that validation puts first; and an ensemble of these.

    None is selected by its test result. Empty where no two networks left probabilities.

    Parameters
    ----------
    group
        Configurations of one data set and protocol; imported ones are left out.
    predictions, validation
        From a trial's key to its predictions of the test images, and to the probabilities of its validation part.
    metric
        What validation selects by.
    """
    networks = [
        read
        for configuration in _best_on_validation(group, metric)
        if (read := _read(configuration, predictions, validation)) is not None
    ]
    networks = [read for read in networks if _same_images(networks[0], read)]
    if sum(len(read.keys) for read in networks) < 2:
        return ()
    labels = networks[0].test[0].labels
    counts = image_counts(len(labels))
    rows = []
    for read in networks:
        rows.append(_single(read, counts))
        if len(read.keys) > 1:
            rows.append(_ensemble(read.label, [read], counts))
    best = networks[:BEST]
    if len(best) > 1 and all(read.validation is not None for read in best):
        rows.append(_ensemble(f"the {len(best)} configurations best on validation", best, counts))
    return tuple(rows)


def ensemble_frame(rows: Sequence[ProbabilityRow]) -> pd.DataFrame:
    """A row each; columns in `COLUMNS`."""
    return pd.DataFrame([row.columns() for row in rows], columns=list(COLUMNS))


def _best_on_validation(group: TrialGroup, metric: str) -> list[Configuration]:
    """The first configurations by validation, with a complete seed; by label where there is no validation."""

    def order(configuration: Configuration) -> tuple[float, str]:
        mean = validation_mean(configuration, metric)
        return (math.inf if math.isnan(mean) else -METRICS[metric].better(mean)), configuration.label

    trained = [c for c in group.configurations if not c.imported and c.with_status("complete")]
    return sorted(trained, key=order)[:MAX_CONFIGURATIONS]


def _read(
    configuration: Configuration, predictions: Callable[[str], Predictions], validation: ValidationOf
) -> Networks | None:
    keys = tuple(record.key for record in configuration.with_status("complete"))
    test = tuple(predictions(key) for key in keys)
    if (
        any(p.probabilities is None or p.probabilities.size > MAX_VALUES for p in test)
        or len(test[0].labels) > MAX_IMAGES
    ):
        return None
    if any(not np.array_equal(p.labels, test[0].labels) for p in test):
        return None
    parts = [validation(key) for key in keys]
    known = tuple(part for part in parts if part is not None)
    is_same = len(known) == len(keys) and all(np.array_equal(part.labels, known[0].labels) for part in known)
    return Networks(configuration.label, keys, test, known if is_same else None)


def _same_images(first: Networks, other: Networks) -> bool:
    return np.array_equal(first.test[0].labels, other.test[0].labels)


def _single(networks: Networks, counts: Any) -> ProbabilityRow:
    """Means over single networks, each with a temperature of its own."""
    labels = networks.test[0].labels
    before = [_probabilities(test) for test in networks.test]
    predicted = [test.predicted for test in networks.test]  # half precision may have made two classes equal
    temperatures = tuple(fit_temperature(part.probabilities, part.labels) for part in networks.validation or ())
    scaled = [with_temperature(p, fitted.value) for p, fitted in zip(before, temperatures, strict=False)]
    return ProbabilityRow(
        label=networks.label,
        kind="single networks",
        keys=networks.keys,
        before=score(before, labels, counts, predicted),
        temperatures=temperatures,
        after=score(scaled, labels, counts, predicted) if temperatures else None,
    )


def _ensemble(label: str, members: Sequence[Networks], counts: Any) -> ProbabilityRow:
    """The mean of all members' networks, with a temperature fitted on the mean of their validation probabilities."""
    labels = members[0].test[0].labels
    mean = mean_probabilities([_probabilities(test) for member in members for test in member.test])
    parts = [part for member in members for part in member.validation or ()]
    keys = tuple(key for member in members for key in member.keys)
    predicted = [mean.argmax(1)]
    same = len(parts) == len(keys) and all(np.array_equal(part.labels, parts[0].labels) for part in parts)
    temperatures: tuple[Temperature, ...] = ()
    if same:
        fitted_on = mean_probabilities([part.probabilities for part in parts])
        temperatures = (fit_temperature(fitted_on, parts[0].labels),)
    return ProbabilityRow(
        label=label,
        kind="ensemble",
        keys=keys,
        before=score([mean], labels, counts, predicted),
        temperatures=temperatures,
        after=score([with_temperature(mean, temperatures[0].value)], labels, counts, predicted) if same else None,
    )


def _probabilities(predictions: Predictions) -> np.ndarray[Any, Any]:
    assert predictions.probabilities is not None
    return predictions.probabilities
