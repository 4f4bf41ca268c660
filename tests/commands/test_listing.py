from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands.show import KINDS, listing
from bench.components import AXES
from bench.errors import UserError
from bench.published import load

ALL = [*KINDS, "metrics", "suites", "published"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "datasets"])
def test_every_entry_is_listed_with_its_parameters(kind: str) -> None:
    text = "\n".join(listing(kind))
    for name, entry in AXES[KINDS[kind]].items():
        assert f"\n{name} " in f"\n{text}"
        for key, field in entry.model_fields.items():
            assert key == "name" or f"{key}{' (needed)' if field.is_required() else '='}" in text


def test_an_entry_is_what_it_is_then_its_parameters_as_a_suite_file_writes_them() -> None:
    assert list(listing("models", "mlp")) == [
        "mlp  Dense layers on the flattened image.",
        "     hidden=[128, 64], activation=relu, batch_norm=none, dropout=0.0, init=torch",
    ]


@pytest.mark.parametrize("kind", ALL)
def test_lines_fit_100_columns(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert all(len(line) <= 100 for line in listing(kind) if "/" not in line)


def test_metrics_say_what_they_are_and_which_way_is_better() -> None:
    assert list(listing("metrics", "log_loss")) == [
        "log_loss            the mean negative log-likelihood of the true class (natural logarithm), also",
        "                    called NLL; smaller is better",
    ]


def test_suites_show_their_title_and_where_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (line,) = listing("suites", "labs/regularization")
    assert line.startswith("labs/regularization  Regularising a small MLP on Fashion-MNIST  ")
    monkeypatch.chdir(tmp_path)
    (away,) = listing("suites", "labs/regularization")
    path = Path(away.split("  ")[-1])
    assert path.is_file()
    monkeypatch.chdir(path.parent)
    (here,) = listing("suites", "labs/regularization")
    assert here.endswith("  regularization.yaml")


def test_published_results_stand_under_their_dataset_with_their_figure() -> None:
    assert list(listing("published", "lab-e-l2")) == [
        "fashion_mnist",
        "  lab-e-l2  test accuracy 87.30 %: lab E: small MLP, L2 1e-3 on both hidden layers",
    ]
    assert next(listing("published", "mnist/*")) == "mnist"
    text = "\n".join(listing("published"))
    assert all(f"  {reference.id} " in text for reference in load())


@pytest.mark.parametrize("flag", ["early_split", "best_epoch_on_test", "ensemble", "pretrained", "claim"])
def test_published_results_are_found_by_what_to_be_careful_of(flag: str) -> None:
    text = " ".join(listing("published", flag))
    flagged = {reference.id for reference in load() if flag in reference.flags}
    assert flagged
    assert flagged == {reference.id for reference in load() if f" {reference.id} " in text}


def test_the_libraries_names_come_with_a_pattern() -> None:
    assert "resnet18  (timm)" in listing("models", "resnet1*")
    assert any("bench list models" in line for line in listing("models"))


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(UserError, match=r"(?s)allowed: models.*did you mean 'models'"):
        list(listing("modles"))
    with pytest.raises(UserError, match=r"nothing matches 'lab-z\*'"):
        list(listing("published", "lab-z*"))


def test_a_listing_without_a_pattern_loads_neither_torch_nor_timm() -> None:
    code = (
        "import sys; from bench.commands.show import listing\n"
        f"for kind in {ALL!r}: list(listing(kind))\n"
        "print(sorted({'torch', 'timm', 'ray'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_kind_may_be_written_as_an_axis_and_a_data_set_as_its_makers_do() -> None:
    assert list(listing("preprocessing")) == list(listing("preprocessings"))
    assert list(listing("datasets", "fashion-mnist")) == list(listing("dataset", "fashion_mnist"))
    with pytest.raises(UserError, match="did you mean 'standardize'"):
        list(listing("preprocessing", "standardise"))
