"""The user's own model file on a node that lacks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.execution.user_code import carried, with_own_model
from bench.models.user import load
from bench.suite.errors import UserError
from bench.suite.trial import Trial


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    file = tmp_path / "net.py"
    file.write_text("def tiny(): return 'mine'\n")
    config: dict[str, Any] = {"model": {"name": "net.py:tiny", "width": 3}}
    return Trial("k", "c", config, 0, 0, model_file=file)


def test_where_the_file_is_it_is_used(trial: Trial) -> None:
    assert with_own_model(trial.run_config, carried(trial)) == trial.run_config


def test_where_it_is_missing_or_another_the_one_that_was_carried_is_used(trial: Trial) -> None:
    file, config = carried(trial), trial.run_config
    assert trial.model_file is not None
    for spoil in (trial.model_file.unlink, lambda: trial.model_file.write_text("def tiny(): return 'other'\n")):
        spoil()
        there = with_own_model(config, file)
        assert there["model"]["width"] == 3
        assert load(there["model"]["name"])() == "mine"


def test_a_folder_that_others_could_have_made_is_not_trusted(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file, config = carried(trial), trial.run_config
    assert trial.model_file is not None
    trial.model_file.unlink()
    with_own_model(config, file)
    (folder,) = tmp_path.glob("bench-model-*")
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    with pytest.raises(UserError, match="someone else"):
        with_own_model(config, file)


def test_other_models_carry_nothing(trial: Trial) -> None:
    config = {"model": {"name": "mlp"}}
    assert carried(replace(trial, config=config, model_file=None)) is None
    assert with_own_model(config, None) == config
