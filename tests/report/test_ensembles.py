"""Ensembles and temperatures of a made-up ledger: fitted on what, of whom, and never ranked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_ledger import FLIP, L2, Ledger, config

from bench.metrics import LabelledProbabilities
from bench.report import build
from bench.report.document import Section
from bench.report.ensemble_rows import ProbabilityRow, ensemble_rows
from bench.report.grouping import group_trials

ValidationOf = Callable[[str], LabelledProbabilities | None]


@pytest.fixture
def made(ledger: Ledger) -> Ledger:
    """Three configurations of three seeds; on validation the second is best, on test the first."""
    ledger.add(config(), [0.9, 0.91, 0.92], validation=[0.8, 0.8, 0.8])
    ledger.add(config(regularizer=L2), [0.88, 0.89, 0.9], validation=[0.9, 0.9, 0.9])
    ledger.add(config(augmentation=FLIP), [0.8, 0.81, 0.82], validation=[0.7, 0.7, 0.7])
    return ledger


def validation_of(key: str) -> LabelledProbabilities:
    """Of every network: too confident on 200 images, 70 % of them classified correctly."""
    labels = (np.arange(200) % 10).astype(np.uint8)
    named = np.where(np.random.default_rng(int(key, 16)).random(200) < 0.7, labels, (labels + 1) % 10)
    probabilities = np.full((200, 10), 0.02 / 9)
    probabilities[np.arange(200), named] = 0.98
    return LabelledProbabilities(labels, probabilities.astype(np.float16))


def rows_of(made: Ledger, validation: ValidationOf) -> dict[tuple[str, str], ProbabilityRow]:
    (group,) = group_trials(made.records)
    return {(row.kind, row.label): row for row in ensemble_rows(group, made.predictions, validation)}


def section_of(made: Ledger, validation: ValidationOf) -> Section:
    report = build(made.records, made.predictions, "Made", validation=validation)
    return next(section for section in report.sections[0] if section.name == "ensembles")


def test_networks_of_a_configuration_and_of_the_best_on_validation(made: Ledger) -> None:
    rows = rows_of(made, validation_of)
    best = ("ensemble", "the 3 configurations best on validation")
    kinds = [(kind, label) for label in ("mlp · l2", "mlp", "mlp · flip") for kind in ("single networks", "ensemble")]
    assert list(rows) == [*kinds, best], "in the order of validation"
    assert [len(row.keys) for row in rows.values()] == [3] * 6 + [9]
    single = rows["single networks", "mlp"].before["accuracy"]
    accuracies = [np.mean((p := made.stored[key]).predicted == p.labels) for key in rows["ensemble", "mlp"].keys]
    assert single.estimate == pytest.approx(np.mean(accuracies))


def test_a_temperature_is_fitted_on_validation_and_changes_no_prediction(made: Ledger) -> None:
    before = rows_of(made, validation_of)
    for row in before.values():
        assert row.after is not None and row.after["accuracy"] == row.before["accuracy"]
        assert all(fitted.images == 200 for fitted in row.temperatures)
        if row.kind == "single networks":  # an ensemble of too confident networks need not be so
            assert all(fitted.value > 1 for fitted in row.temperatures)
        assert len(row.temperatures) == (3 if row.kind == "single networks" else 1)
    for key, stored in made.stored.items():  # other test labels, to which a temperature owes nothing
        made.stored[key] = replace(stored, labels=(stored.labels + 1) % 10)
    after = rows_of(made, validation_of)
    assert [row.temperatures for row in after.values()] == [row.temperatures for row in before.values()]


def test_without_probabilities_of_validation_there_is_no_temperature(made: Ledger) -> None:
    rows = rows_of(made, lambda _: None)
    assert len(rows) == 6, "and no ensemble of configurations, which nothing put first"
    assert all(row.after is None and not row.temperatures for row in rows.values())
    section = section_of(made, lambda _: None)
    assert "There is no temperature without probabilities of validation images" in section.tables[0].caption
    assert "temperature" not in [column.name for column in section.tables[0].columns]


def test_one_network_without_them_takes_those_of_its_configuration(made: Ledger) -> None:
    first = made.records[0].key
    rows = rows_of(made, lambda key: None if key == first else validation_of(key))
    assert rows["ensemble", "mlp"].after is None and rows["single networks", "mlp"].after is None
    assert rows["ensemble", "mlp · l2"].after is not None
    assert ("ensemble", "the 3 configurations best on validation") not in rows


def test_what_was_not_validated_comes_by_name_and_the_caption_says_so(ledger: Ledger) -> None:
    for regularizer in ([], L2):
        ledger.add(config(validation="none", regularizer=regularizer), [0.9, 0.91])
    caption = section_of(ledger, lambda _: None).tables[0].caption
    assert "At most 4 configurations, the first by name, since none was validated: single networks" in caption
    assert "best on validation" not in caption


def test_networks_without_probabilities_and_single_ones_give_no_rows(made: Ledger, ledger: Ledger) -> None:
    for key, stored in made.stored.items():
        made.stored[key] = replace(stored, probabilities=None)
    assert rows_of(made, validation_of) == {}
    assert section_of(made, validation_of).filled("page") == []
    alone = Ledger()
    alone.add(config(), [0.9])
    assert rows_of(alone, validation_of) == {}


def test_no_row_is_ranked(made: Ledger) -> None:
    report = build(made.records, made.predictions, "Made", validation=validation_of)
    assert len(report.frame) == 3 and not report.frame["label"].str.contains("ensemble|best on").any()
    assert report.comparisons[0].analysis.by_mean == ["mlp", "mlp · l2", "mlp · flip"]
