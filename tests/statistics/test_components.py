from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from bench.statistics.means import variance_components


def table(seeds: int, images: int, generator: np.random.Generator) -> np.ndarray:
    return generator.random((seeds, images)) < generator.beta(2, 0.5, images)


def test_mean_squares_are_those_of_statsmodels_two_way_analysis_of_variance() -> None:
    right = table(4, 12, np.random.default_rng(0))
    seed, image = np.indices(right.shape)
    frame = pd.DataFrame({"y": right.ravel().astype(float), "seed": seed.ravel(), "image": image.ravel()})
    known = sm.stats.anova_lm(smf.ols("y ~ C(seed) + C(image)", frame).fit())
    squares = known["sum_sq"] / known["df"]
    found = variance_components(right)
    assert found.between_seeds * 12 == pytest.approx(squares["C(seed)"])
    assert found.independent * 12 == pytest.approx(squares["Residual"])
    assert found.seed_component == pytest.approx((squares["C(seed)"] - squares["Residual"]) / 12)
    assert found.image_component == pytest.approx((squares["C(image)"] - squares["Residual"]) / 4)


def test_images_that_flip_by_themselves_leave_nothing_to_the_seeds() -> None:
    """1,000 seeds of 1,000 images, each right with its own chance p: the components are 0 and the variance of p."""
    found = variance_components(table(1000, 1000, np.random.default_rng(1)))
    assert abs(found.seed_component) < 0.1 * found.independent
    assert found.image_component == pytest.approx(0.8 * 0.2 / 3.5, rel=0.15)


def test_one_seed_is_given_the_flips_of_a_calibrated_network() -> None:
    found = variance_components(np.arange(100)[None] < 90)
    assert found.independent == pytest.approx(0.1 / 200)
    assert np.isnan(found.between_seeds)


@pytest.mark.parametrize("shape", [(0, 10), (3, 1), (10,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="seeds by images"):
        variance_components(np.zeros(shape, dtype=bool))
