"""The suites of the lab documents: what they name is there, and their networks are the documents'."""

from __future__ import annotations

import numpy as np
import pytest
from by_name import combine
from by_name import create_model as create

from bench.data.catalogue import DATASETS
from bench.models.count_operations import count_parameters
from bench.published import find, load
from bench.suite.find_suite import shipped_suites
from bench.suite.suite import load_suite

LABS = {name: load_suite(path) for name, path in shipped_suites().items() if name.startswith("labs/")}
SYSTEMS = [
    pytest.param(comparison.configs[0], reference.parameters, id=reference.id)
    for suite in LABS.values()
    for comparison in suite.comparisons
    for reference in find([comparison.reference])
    if comparison.configs and reference.parameters
]


def test_every_figure_of_the_documents_is_named_by_exactly_one_suite() -> None:
    named = [comparison.reference for suite in LABS.values() for comparison in suite.comparisons]
    assert sorted(named) == sorted(reference.id for reference in load() if reference.file == "labs.yaml")


@pytest.mark.parametrize(("config", "printed"), SYSTEMS)
def test_the_suites_network_has_the_printed_number_of_parameters(config: dict, printed: int) -> None:  # type: ignore[type-arg]
    shape = DATASETS[config["dataset"]["name"]].shape
    columns = (
        (np.zeros(shape[2]), np.ones(shape[2])) if config["preprocessing"]["name"].startswith("column_s") else None
    )
    overrides = combine(config["regularizer"]).model
    net = create(config["model"], shape, 10, columns, overrides, preprocessing=config["preprocessing"])
    assert count_parameters(net)[0] == printed
