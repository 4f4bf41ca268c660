"""Power laws and corruption errors against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.corruption_error import mean_corruption_error, mean_error
from bench.statistics.power_law import fit_power_law

N = np.array([500.0, 1000.0, 2500.0, 5000.0, 15_000.0])


def test_a_law_is_recovered_from_its_own_points() -> None:
    law = fit_power_law(N, 1.2 * N**-0.3 + 0.05, np.full(5, 0.001))
    assert law is not None
    assert law.exponent.estimate == pytest.approx(0.3, abs=1e-4) and law.offset.estimate == pytest.approx(
        0.05, abs=1e-4
    )
    assert law.error(60_000).estimate == pytest.approx(1.2 * 60_000**-0.3 + 0.05, abs=1e-5)
    assert law.exponent.low < 0.3 < law.exponent.high


def test_more_noise_makes_wider_intervals_and_the_same_data_the_same() -> None:
    errors = 1.2 * N**-0.3 + 0.05
    quiet, noisy, again = (fit_power_law(N, errors, np.full(5, error)) for error in (0.001, 0.01, 0.01))
    assert quiet and noisy and again
    width = [law.exponent.high - law.exponent.low for law in (quiet, noisy)]
    assert width[0] < width[1]
    assert np.array_equal(noisy.resamples, again.resamples)


def test_nothing_is_fitted_to_three_points_or_to_an_error_of_zero() -> None:
    assert fit_power_law(N[:3], np.array([0.3, 0.2, 0.1]), np.full(3, 0.01)) is None
    assert fit_power_law(N, np.array([0.3, 0.2, 0.1, 0.05, 0.0]), np.full(5, 0.01)) is None


def test_corruption_errors_by_hand() -> None:
    errors = np.array([[[0.1, 0.2], [0.4, 0.6]], [[0.3, 0.4], [0.4, 0.6]]])  # 2 seeds, 2 corruptions, 2 severities
    baseline = np.array([[[0.2, 0.4], [0.5, 0.5]]])
    assert mean_error(errors) == pytest.approx([0.325, 0.425])
    assert mean_corruption_error(errors, baseline) == pytest.approx([(0.5 + 1.0) / 2, (0.7 / 0.6 + 1.0) / 2])
    with pytest.raises(ValueError, match="no ratio"):
        mean_corruption_error(errors, np.zeros((1, 2, 2)))
