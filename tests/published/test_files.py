"""The files of published results: every entry has what a leaderboard and its reader need, written in one way."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

FLAGS = {
    # what was trained and chosen on what
    "early_split", "compared_against_early_split", "best_epoch_on_test", "best_of_family_on_test", "best_of_runs",
    "mean_of_runs", "lr_tuned_on_test", "pretrained", "extra_data", "ensemble", "ensemble_likely", "threshold", "nas",
    "old_recipe", "optimizer_benchmark",
    # how far the figure can be trusted
    "community_submission", "not_retested", "self_reported", "paperswithcode", "source_disagrees", "sources_disagree",
    "implausible", "approximate", "derived_here", "exclude_from_ranking",
    # what it is
    "human", "core",
}  # fmt: skip


def _known(flag: str) -> str:
    if flag not in FLAGS and not flag.startswith("duplicate_of:"):
        raise ValueError(f"unknown flag {flag!r}")
    return flag


Text = Annotated[str, Field(min_length=1)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$")]
Fraction = Annotated[float, Field(gt=0, le=1)]
Url = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+\.[a-z]+(/\S*)?$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Published(Strict):
    """An entry of fashion_mnist.yaml, mnist.yaml or cifar10.yaml."""

    id: Id
    model: Text
    metric: Literal["test_accuracy"]
    value: Fraction | None
    reported: Text
    params: PositiveInt | None
    augmentation: Text | None
    protocol: Text | None
    dataset_revision: Text | None = None
    year: Annotated[int, Field(ge=1990, le=2030)] | None
    title: Text
    authors: Text | None
    url: Url
    source_seen: Text
    evidence: Literal["primary", "leaderboard", "secondary", "derived", "none"]
    verified: bool
    flags: list[Annotated[str, AfterValidator(_known)]] | None = None
    runs: PositiveInt | None = None
    std: Annotated[float, Field(ge=0, lt=0.1)] | None = None
    mnist_test_accuracy: Fraction | None = None


class Lab(Strict):
    """An entry of labs.yaml."""

    id: Annotated[str, Field(pattern=r"^lab-[a-e]-[a-z0-9-]+$")]
    lab: Literal["A", "B", "C", "D", "E"]
    system: Text
    dataset: Literal["fashion_mnist", "mnist", "cifar10"]
    metric: Literal["test_accuracy", "val_accuracy", "val_precision", "val_recall"]
    value: Fraction | None
    reported: Text | None = None
    parameters: PositiveInt | None
    epochs: PositiveInt | None
    note: str | None
    flags: list[Literal["quoted", "tuned", "rate_assumed", "continued_fit"]] = []


COUNTS = {"fashion_mnist.yaml": 124, "mnist.yaml": 28, "cifar10.yaml": 19, "labs.yaml": 40}
PUBLISHED = [name for name in COUNTS if name != "labs.yaml"]


def content(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(files("bench.published").joinpath(name).read_text(encoding="utf-8"))
    return data


@pytest.mark.parametrize("name", COUNTS)
def test_every_entry_is_well_formed(name: str) -> None:
    entry = Lab if name == "labs.yaml" else Published
    assert len([entry.model_validate(one) for one in content(name)["entries"]]) == COUNTS[name]


def test_171_entries_come_from_others_than_the_labs() -> None:
    assert sum(COUNTS[name] for name in PUBLISHED) == 171


@pytest.mark.parametrize("name", COUNTS)
def test_without_a_value_the_sources_wording_stands_there(name: str) -> None:
    assert all(one["value"] is not None or one["reported"] for one in content(name)["entries"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_id_stands_once_in_a_file_that_is_named_for_its_dataset(name: str) -> None:
    data = content(name)
    assert data["dataset"] == name.removesuffix(".yaml")
    assert [one for one, times in Counter(entry["id"] for entry in data["entries"]).items() if times > 1] == []


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_duplicate_names_the_entry_it_repeats(name: str) -> None:
    entries = {entry["id"]: entry for entry in content(name)["entries"]}
    for entry in entries.values():
        for flag in entry.get("flags") or ():
            if flag.startswith("duplicate_of:"):
                assert flag.removeprefix("duplicate_of:") in entries


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_nobody_read_is_not_called_verified(name: str) -> None:
    for entry in content(name)["entries"]:
        assert entry["verified"] == (entry["evidence"] != "none"), entry["id"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_value_is_the_reported_figure(name: str) -> None:
    """As a fraction or in percent, as an accuracy or as an error; wherever the wording is just a number."""
    plain = [one for one in content(name)["entries"] if re.fullmatch(r"[\d.]+ ?%?", one["reported"])]
    assert len(plain) > 5
    for entry in plain:
        figure = float(entry["reported"].rstrip(" %"))
        readings = [figure, figure / 100, 1 - figure / 100]
        assert any(abs(entry["value"] - reading) < 1e-6 for reading in readings), entry["id"]
