from __future__ import annotations

from collections import Counter

import pytest

from bench.errors import UserError
from bench.published import find, load


def test_every_value_is_a_fraction() -> None:
    values = [reference.value for reference in load() if reference.value is not None]
    assert len(values) > 200
    assert all(0 < value <= 1 for value in values)


def test_a_reference_is_named_once_per_dataset() -> None:
    names = Counter((reference.dataset, reference.id) for reference in load())
    assert max(names.values()) == 1


def test_load_keeps_to_one_dataset() -> None:
    assert {reference.dataset for reference in load("mnist")} == {"mnist"}
    assert load("imagenet") == []


@pytest.mark.parametrize(("lab", "systems"), [("a", 3), ("b", 19), ("c", 7), ("d", 8), ("e", 3)])
def test_every_lab_system_is_filed(lab: str, systems: int) -> None:
    assert sum(reference.id.startswith(f"lab-{lab}-") for reference in load()) == systems


def test_the_figures_of_the_regularisation_lab() -> None:
    found = find(["lab-e-baseline", "lab-e-l2", "lab-e-dropout"])
    assert [reference.value for reference in found] == [0.8835, 0.8730, 0.8803]
    assert {(reference.metric, reference.epochs, reference.dataset) for reference in found} == {
        ("test_accuracy", 30, "fashion_mnist")
    }


def test_a_quoted_range_has_no_single_value() -> None:
    reference = find(["lab-a-reference"])[0]
    assert reference.value is None
    assert reference.reported == ".87 to .88"


def test_flags_say_which_release_a_result_is_on() -> None:
    assert "early_split" in find(["readme_2conv_kashif"])[0].flags


def test_what_nobody_read_or_nobody_believes_is_a_claim() -> None:
    claimed = {reference.id for reference in load() if "claim" in reference.flags}
    assert {"sam_fmnist", "cnn_3_128_claim"} <= claimed
    assert not claimed & {"readme_2conv_kashif", "lab-e-l2"}


def test_an_id_filed_under_two_datasets_finds_both_and_a_prefix_one() -> None:
    assert {reference.dataset for reference in find(["sklearn_svc"])} == {"fashion_mnist", "mnist"}
    assert [reference.dataset for reference in find(["mnist/sklearn_svc"])] == ["mnist"]


def test_unknown_ids_are_all_named_with_the_nearest() -> None:
    with pytest.raises(UserError) as error:
        find(["lab-e-drpout", "lab-e-l2", "qqqqqqq"])
    assert "'lab-e-drpout'; did you mean 'lab-e-dropout'?" in str(error.value)
    assert "'qqqqqqq'" in str(error.value)
