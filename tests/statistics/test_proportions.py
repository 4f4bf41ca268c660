from __future__ import annotations

import pytest

from bench.statistics.intervals import binomial_noise, wilson


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_printed_bounds(correct: int, n: int, low: float, high: float) -> None:
    interval = wilson(correct, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("accuracy", "points"), [(0.9, 0.59), (0.935, 0.48), (0.96, 0.38), (0.995, 0.14)])
def test_wilson_on_ten_thousand_images(accuracy: float, points: float) -> None:
    interval = wilson(round(accuracy * 10_000), 10_000)
    assert 50 * (interval.high - interval.low) == pytest.approx(points, abs=0.005)
    assert interval.estimate == accuracy


def test_wilson_stays_within_zero_and_one() -> None:
    assert wilson(0, 5).low == 0.0
    assert wilson(5, 5).high == 1.0


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (-1, 10), (11, 10)])
def test_wilson_refuses_what_is_no_proportion(correct: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(correct, n)


@pytest.mark.parametrize(("error", "points"), [(0.065, 0.18), (0.04, 0.14)])
def test_the_floor_on_ten_thousand_images(error: float, points: float) -> None:
    assert 100 * binomial_noise(error, 10_000) == pytest.approx(points, abs=0.005)


def test_the_floor_refuses_an_error_above_one() -> None:
    with pytest.raises(ValueError):
        binomial_noise(1.5, 10)
