from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from bench.statistics.contrasts import difference
from bench.statistics.factor_effects import interactions, main_effects
from bench.statistics.means import MeanEstimates, measure

GRID = pd.DataFrame(
    list(product(["mlp", "conv"], ["sgd", "adam", "lion"], ["none", "l2"])), columns=["model", "optimizer", "decay"]
)


def measured(count: int = len(GRID), seeds: int = 3) -> MeanEstimates:
    generator = np.random.default_rng(0)
    hard = generator.beta(0.3, 1.0, 1000)
    return measure(generator.random((seeds, 1000)) >= hard * generator.uniform(0.5, 1) for _ in range(count))


def test_a_full_grid_gives_the_coefficients_of_statsmodels_factorial_model() -> None:
    suite = measured()
    formula = " + ".join(f"C({axis}, Sum)" for axis in GRID) + " + C(model, Sum):C(optimizer, Sum)"
    fit = smf.ols(f"y ~ {formula}", GRID.assign(y=suite.means)).fit()
    effects = main_effects(GRID, suite).set_index(["axis", "value"])["effect"]
    assert effects["optimizer", "adam"] == pytest.approx(fit.params["C(optimizer, Sum)[S.adam]"])
    assert effects["decay", "l2"] == pytest.approx(2 * fit.params["C(decay, Sum)[S.l2]"])
    together = interactions(GRID, suite).set_index(["axis", "value", "with_axis", "with_value"])["effect"]
    known = fit.params["C(model, Sum)[S.conv]:C(optimizer, Sum)[S.adam]"]
    assert together["model", "conv", "optimizer", "adam"] == pytest.approx(known)
    # Of an axis with two levels the first would say the same with the other sign.
    assert "mlp" not in together.index.get_level_values("value")


def test_an_axis_of_two_levels_alone_is_a_difference_of_two_configurations() -> None:
    suite = measured(2)
    row = main_effects(pd.DataFrame({"decay": ["none", "l2"]}), suite, {"decay": "none"}).iloc[0]
    known = difference(suite, 1, 0)
    assert (row.effect, row.low, row.high, row.p) == pytest.approx((known.estimate, known.low, known.high, known.p))
    assert (row.value, row.against) == ("l2", "none")


def test_many_cells_tell_more_than_one() -> None:
    suite = measured()
    whole = main_effects(GRID, suite, {"decay": "none"}).query("axis == 'decay'").iloc[0]
    single = difference(suite, 1, 0)
    assert whole.this_high - whole.this_low < 0.6 * (single.this_high - single.this_low)


def test_cells_that_lost_a_level_are_left_out_and_counted() -> None:
    survivors = GRID.drop(index=[3, 8]).reset_index(drop=True)  # mlp adam l2 and conv adam none were pruned
    suite = measured(len(survivors))
    found = main_effects(survivors, suite, {"decay": "none"}).set_index(["axis", "value"])
    assert found.loc[("decay", "l2"), ["n_strata", "missing"]].tolist() == [4, 2]
    assert found.loc[("model", "conv"), ["n_strata", "missing"]].tolist() == [4, 2]
    # Without rows 3 and 8: pairs of neighbours (mlp sgd, mlp lion, conv sgd, conv lion).
    by_hand = np.mean([suite.means[second] - suite.means[first] for first, second in ((0, 1), (3, 4), (5, 6), (8, 9))])
    assert found.loc[("decay", "l2"), "effect"] == pytest.approx(by_hand)


def test_levels_that_never_meet_have_no_effect_to_show() -> None:
    apart = pd.DataFrame({"model": ["mlp", "conv"], "optimizer": ["sgd", "adam"]})
    found = main_effects(apart, measured(2))
    assert found["n_strata"].tolist() == [0, 0]
    assert found["effect"].isna().all()
    assert interactions(apart, measured(2)).empty


def test_one_configuration_has_no_axis_that_varies() -> None:
    assert main_effects(pd.DataFrame({"model": ["mlp"]}), measured(1)).empty


def test_the_strongest_interaction_comes_first() -> None:
    """conv with adam alone is broken; the null effect is the same for the rest."""
    generator = np.random.default_rng(0)
    tables = [
        generator.random((5, 1000)) >= (0.3 if (row.model, row.optimizer) == ("conv", "adam") else 0.1)
        for row in GRID.itertuples()
    ]
    found = interactions(GRID, measure(tables), top=2)
    assert len(found) == 2
    assert set(found.iloc[0][["axis", "with_axis"]]) == {"model", "optimizer"}
    assert abs(found.iloc[0].effect) == pytest.approx(0.2 / 3, abs=0.01)
    assert found.iloc[0].p_holm < 0.001


def test_a_level_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no configuration has decay"):
        main_effects(GRID, measured(), {"decay": "dropout"})
