from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_ledger import L2, Ledger, config

from bench.published import find
from bench.report import build
from bench.report.published.published_noise import NoiseEstimate, compare_values, half_unit
from bench.report.sections.published_results import published_frame
from bench.statistics.intervals import pooled_seed_deviation
from bench.statistics.means import measure, new_images
from bench.statistics.versus_published import published_gap


def placed(ledger: Ledger, *references: str, **repeats: list[dict]):  # type: ignore[no-untyped-def, type-arg]
    named = {name.replace("_", "-"): configs for name, configs in repeats.items()}
    built = build(ledger.records, ledger.predictions, "title", references=find(references), reproductions=named)
    return published_frame(built.comparisons[0]).set_index("id")


def test_a_single_run_is_placed_with_its_own_interval_against_ours_on_new_images(ledger: Ledger) -> None:
    ledger.add(config(), [0.7, 0.71])
    row = placed(ledger, "lab-e-baseline").loc["lab-e-baseline"]
    right = np.stack([said.labels == said.predicted for said in ledger.stored.values()])
    ours = new_images(measure([right]), 0)
    wanted = published_gap(0.8835, ours, 1000)
    assert (row["position"], row["gap_low"], row["gap_high"]) == (wanted.position, wanted.gap.low, wanted.gap.high)
    assert row["position"] == "below"  # the measured 70.5 %, of the published 88.35 %
    assert row["gap"] == pytest.approx(ours.estimate - 0.8835) and row["gap_high"] < 0


def test_it_is_held_against_the_configuration_that_repeats_it(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9])
    ledger.add(config(regularizer=L2), [0.87, 0.87])
    table = placed(ledger, "lab-e-baseline", "lab-e-l2", lab_e_l2=[config(regularizer=L2)])
    assert table["configuration"].to_dict() == {"lab-e-baseline": "mlp", "lab-e-l2": "mlp · l2"}
    assert table["reproduces"].to_dict() == {"lab-e-baseline": False, "lab-e-l2": True}


def test_a_reproduction_has_the_sign_and_the_noise_of_the_page_of_published_systems(ledger: Ledger) -> None:
    ledger.add(config(), [0.87, 0.874, 0.872])
    row = placed(ledger, "lab-e-baseline", lab_e_baseline=[config()]).loc["lab-e-baseline"]
    noise = NoiseEstimate("suite", pooled_seed_deviation([[0.87, 0.874, 0.872]]))
    (reference,) = find(["lab-e-baseline"])
    known = compare_values([0.87, 0.874, 0.872], 0.8835, "accuracy", noise, 1000, rounding=half_unit(reference))
    assert known.agreement is not None
    assert row["gap"] == pytest.approx(known.agreement.difference) and row["gap"] < 0
    assert (row["gap_high"] - row["gap_low"]) / 2 == pytest.approx(known.agreement.half_width)
    assert row["position"] == known.verdict


def test_a_refuted_claim_is_shown_and_not_placed(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9])
    row = placed(ledger, "cnn_3_128_claim").loc["cnn_3_128_claim"]
    assert row["position"] == "not compared"
    assert "exclude from ranking" in row["flags"]


def test_a_mean_of_runs_gets_no_interval_of_its_own(ledger: Ledger) -> None:
    ledger.add(config(dataset={"name": "cifar10"}), [0.9, 0.9])
    assert placed(ledger, "airbench94").loc["airbench94", "images"] is pd.NA


@pytest.mark.parametrize("reference", ["readme_2conv_kashif", "lab-b-conv2d"])
def test_only_test_accuracy_is_placed(ledger: Ledger, reference: str) -> None:
    ledger.add(config(), [0.9, 0.9])
    (told,) = [one for one in find([reference]) if one.dataset == "fashion_mnist"]
    assert (reference in placed(ledger, reference).index) == (told.part == "test")
