"""`{name: hf, path: owner/name}`: the library `datasets` against a hub, which is on loopback."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
from commands import bench
from hub import COMMIT, NAME, hub

SUITE = f"""
name: pets
defaults: {{dataset: {{name: hf, path: {NAME}, revision: "{COMMIT}"}}, validation: given, epochs: 1}}
grid: {{model: mlp}}
"""


@pytest.mark.usefixtures("bare_machine")
def test_a_commit_of_the_hub_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    images = np.arange(4 * 36, dtype=np.uint8).reshape(4, 6, 6)
    part = datasets.Dataset.from_dict({"image": list(images), "label": [0, 1, 0, 1]}, features=features)
    (tmp_path / "repository/data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        part.to_parquet(tmp_path / f"repository/data/{split}-00000-of-00001.parquet")
    (tmp_path / "suite.yaml").write_text(SUITE)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    fetch = ("data", "fetch", f'{{name: hf, path: {NAME}, revision: "{COMMIT}"}}')
    with hub(tmp_path / "repository") as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        code, _, err = bench(*fetch)
        assert code == 0, err
    code, out, err = bench("plan", tmp_path / "suite.yaml", "--results", tmp_path / "r")  # the hub is gone
    assert code == 0, err
    assert "to run: 1 trial" in out
    assert "asking the hub" not in err
