from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import classification_report

from bench.statistics.intervals import wilson
from bench.statistics.per_class import CLASS_METRICS, class_intervals

LABELS = np.repeat(np.arange(3, dtype=np.uint8), 100)


def said(seeds: int, error: float = 0.2, start: int = 0, common: float = 0.5) -> np.ndarray:
    """Predictions of LABELS, shape (seeds, 300): a share `common` of the errors is the same in every seed."""
    generator = np.random.default_rng(start)
    hard = generator.random(LABELS.size) < common * error
    wrong = hard | (generator.random((seeds, LABELS.size)) < (1 - common) * error)
    other = (LABELS + generator.integers(1, 3, (seeds, LABELS.size))) % 3
    return np.where(wrong, other, LABELS).astype(np.uint8)


def test_one_seed_has_wilsons_interval_of_its_images() -> None:
    predicted = said(1)
    found = class_intervals(LABELS, [predicted], 3)
    right = int((predicted[0, :100] == 0).sum())
    called = int((predicted[0] == 0).sum())
    recall, precision = wilson(right, 100), wilson(right, called)
    assert (found["recall"].low[0, 0], found["recall"].high[0, 0]) == pytest.approx((recall.low, recall.high))
    assert (found["precision"].low[0, 0], found["precision"].high[0, 0]) == pytest.approx(
        (precision.low, precision.high)
    )


def test_f1_of_one_seed_is_wilsons_of_the_images_that_are_of_the_class_or_called_so() -> None:
    predicted = said(1)
    found = class_intervals(LABELS, [predicted], 3)["f1"]
    both = int(((predicted[0] == 0) & (LABELS == 0)).sum())
    either = int(((predicted[0] == 0) | (LABELS == 0)).sum())
    known = wilson(both, either)
    assert found.low[0, 0] == pytest.approx(2 * known.low / (1 + known.low))
    assert found.high[0, 0] == pytest.approx(2 * known.high / (1 + known.high))


def test_values_are_those_of_sklearns_classification_report_on_all_seeds_together() -> None:
    predicted = said(3)
    found = class_intervals(LABELS, [predicted], 3)
    known = classification_report(np.tile(LABELS, 3), predicted.ravel(), output_dict=True)
    for name, column in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        assert found[name].value[0] == pytest.approx([known[str(c)][column] for c in range(3)])  # type: ignore[index]


def test_seeds_that_agree_in_everything_say_no_more_than_one() -> None:
    one = said(1)
    many = np.repeat(one, 5, axis=0)
    alone, together = class_intervals(LABELS, [one], 3)["recall"], class_intervals(LABELS, [many], 3)["recall"]
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.02)


@pytest.mark.parametrize("figure", CLASS_METRICS)
def test_intervals_cover_the_figure_of_new_seeds_on_new_images(figure: str) -> None:
    # 3 seeds, 4 configurations, 300 images, 60 times.
    hits = []
    for i in range(60):
        found = class_intervals(LABELS, [said(3, start=4 * i + j) for j in range(4)], 3)[figure]  # type: ignore[index]
        hits.append((found.low <= 0.81) & (found.high >= 0.81))
    assert 0.93 <= np.mean(hits) <= 0.98


def test_a_difference_on_shared_images_is_surer_than_two_figures_are() -> None:
    ours = said(3, start=1, common=0.9)
    theirs = ours.copy()
    theirs[:, :10] = 1
    found = class_intervals(LABELS, [ours, theirs], 3, paired=2)["recall"]
    assert found.half_width.shape == (1, 3)
    assert found.half_width[0, 0] < 0.5 * (found.high[0, 0] - found.low[0, 0])
    assert found.half_width[0, 1] == pytest.approx(0.0, abs=0.06)


def test_a_class_without_images_has_no_recall_and_one_never_called_no_precision() -> None:
    labels = np.array([0, 0, 1, 1], dtype=np.uint8)
    found = class_intervals(labels, [np.array([[0, 0, 0, 2]], dtype=np.uint8)], 4)
    assert np.isnan(found["recall"].low[0]).tolist() == [False, False, True, True]
    assert np.isnan(found["precision"].low[0]).tolist() == [False, True, False, True]
    assert np.isnan(found["f1"].value[0]).tolist() == [False, False, False, True]


def test_a_class_told_without_error_keeps_the_doubt_of_its_images() -> None:
    found = class_intervals(LABELS, [np.repeat(LABELS[None], 3, axis=0)], 3)["recall"]
    known = wilson(100, 100)
    assert (found.low[0, 0], found.high[0, 0]) == pytest.approx((known.low, 1.0))


def test_predictions_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="do not match"):
        class_intervals(LABELS, [said(2)[:, :-1]], 3)
