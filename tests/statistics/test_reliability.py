from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from bench.metrics import calibration_error, confidence_bins
from bench.statistics.reliability import calibrated_error, reliability


def test_calibration_error_by_hand() -> None:
    # One bin of .95 and .97 with half of them right, one of .4 that is right.
    found = calibration_error(np.array([0.95, 0.97, 0.4]), np.array([True, False, True]))
    assert found == pytest.approx((abs(1 - 1.92) + 0.6) / 3)


def test_a_bin_holds_its_upper_end() -> None:
    assert confidence_bins(np.array([0.0, 0.2, 0.2000001, 1.0]), bins=5).tolist() == [0, 0, 1, 4]


def test_reliability_is_that_of_sklearns_calibration_curve() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.random((1, 500))
    right = generator.random((1, 500)) < confidence
    found = reliability(confidence, right)
    accuracy, mean = calibration_curve(right[0], confidence[0], n_bins=15)
    there = found.count > 0
    assert found.accuracy[there] == pytest.approx(accuracy)
    assert found.confidence[there] == pytest.approx(mean)


def test_bins_count_the_images_of_one_seed_and_those_without_any_have_no_figures() -> None:
    found = reliability(np.array([[0.9, 0.5], [0.9, 0.9]]), np.array([[True, True], [True, False]]), bins=10)
    assert found.count.tolist() == [0, 0, 0, 0, 0.5, 0, 0, 0, 1.5, 0]
    assert found.accuracy[8] == pytest.approx(2 / 3)
    assert np.isnan(found.accuracy[0])


def test_without_confidences_there_is_no_calibration() -> None:
    unknown = np.array([0.5, np.nan])
    assert np.isnan(calibration_error(unknown, np.array([True, True])))
    with pytest.raises(ValueError, match="a confidence is nan"):
        reliability(unknown[None], np.array([[True, True]]))


@pytest.mark.parametrize("images", [1000, 10_000])
def test_a_calibrated_network_has_the_error_that_chance_makes(images: int) -> None:
    generator = np.random.default_rng(0)
    confidence = 1 - generator.beta(0.3, 2.5, images)
    drawn = [calibration_error(confidence, generator.random(images) < confidence) for _ in range(300)]
    assert calibrated_error(confidence) == pytest.approx(np.mean(drawn), rel=0.06)
    assert 0.004 < calibrated_error(confidence) < 0.04
