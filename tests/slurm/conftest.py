"""A real SLURM on this machine: a controller and three nodes of one CPU each, on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slurm_daemons import Slurm, have_slurm, slurm_daemons


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A SLURM that is up; commands find it by SLURM_CONF."""
    have_slurm()
    with slurm_daemons(tmp_path_factory.mktemp("slurm")) as daemons:
        yield daemons
