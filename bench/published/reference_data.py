"""Published results from the package data: values with their sources, results per class, and validation curves."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject

AT_HALF = {"precision": "precision_at_half", "recall": "recall_at_half"}
"""The sources' metrics, which are Keras's micro-averages at a threshold of .5, to those of `bench.metrics`."""

FILES = ("labs.yaml", "fashion_mnist.yaml", "mnist.yaml", "cifar10.yaml")


@dataclass(frozen=True)
class Reference:
    """One published result.

    `value` is a fraction for accuracies and None where the source gives no single value; `reported` is then the
    source's wording. `flags` say what to be careful of (``early_split``, ``best_epoch_on_test``,
    ``pretrained``, ``ensemble``, ``exclude_from_ranking``, ...; ``claim``: the value was not
    checked in its source, or is implausible). `file` is the package file that holds it.
    """

    id: str
    dataset: str
    model: str
    metric: str
    value: float | None
    flags: tuple[str, ...]
    protocol: str
    year: int | None
    url: str | None
    file: str
    reported: str = ""
    parameters: int | None = None
    epochs: int | None = None

    @property
    def part(self) -> Literal["validation", "test"]:
        """The part of the data that `metric` was measured on."""
        return "validation" if self.metric.startswith("val_") else "test"

    @property
    def metric_name(self) -> str:
        """The metric without its part, as `bench.metrics` names it."""
        name = self.metric.removeprefix("val_").removeprefix("test_")
        return AT_HALF.get(name, name)


def load(dataset: str | None = None) -> list[Reference]:
    """Every reference, or those of one dataset, in the order of the files; none for an unknown dataset."""
    return [reference for reference in _all() if dataset in (None, reference.dataset)]


def find(ids: Iterable[str]) -> list[Reference]:
    """The references of these ids, in this order, each once.

    Some sources report one model on several datasets under the same id: the id alone finds all of them,
    ``dataset/id`` one.

    Raises
    ------
    UserError
        Naming every unknown id and the nearest known one.
    """
    known: dict[str, list[Reference]] = {}
    for reference in _all():
        known.setdefault(reference.id, []).append(reference)
        known[f"{reference.dataset}/{reference.id}"] = [reference]
    wanted = list(ids)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        lines = [f"references: no published result {name!r}; {_hint(name, known)}" for name in unknown]
        raise UserError("\n".join(lines))
    return list(dict.fromkeys(reference for name in wanted for reference in known[name]))


def _hint(name: str, known: Iterable[str]) -> str:
    return nearest(name, known) or f"the ids are in {', '.join(FILES)} of bench.published"


@cache
def _all() -> tuple[Reference, ...]:
    return tuple(reference for name in FILES for reference in _read(name))


def _read(name: str) -> list[Reference]:
    # The C parser reads long files much faster; it is missing from some builds of PyYAML.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load(files("bench.published").joinpath(name).read_bytes(), Loader=loader)  # noqa: S506
    shape = _lab_reference if name == "labs.yaml" else _reference
    return [shape(item, data, name) for item in data["entries"]]


def _reference(item: JsonObject, data: JsonObject, file: str) -> Reference:
    flags = tuple(item.get("flags") or ())
    is_claim = not item["verified"] or "implausible" in flags
    return Reference(
        id=item["id"],
        dataset=data["dataset"],
        model=item["model"],
        metric=item["metric"],
        value=item["value"],
        flags=("claim", *flags) if is_claim else flags,
        protocol=item["protocol"] or "",
        year=item["year"],
        url=item["url"],
        file=file,
        reported=item["reported"],
        parameters=item["params"],
    )


def _lab_reference(item: JsonObject, data: JsonObject, file: str) -> Reference:
    note = item.get("note") or ""
    return Reference(
        id=item["id"],
        dataset=item["dataset"],
        model=f"lab {item['lab']}: {item['system']}",
        metric=item["metric"],
        value=item["value"],
        flags=tuple(item.get("flags") or ()),
        protocol=" ".join(filter(None, [data["protocols"][item["lab"]], note])),
        year=None,
        url=None,
        file=file,
        reported=item.get("reported") or "",
        parameters=item["parameters"],
        epochs=item["epochs"],
    )


CLASSES_FILE = "lab_b_classes.yaml"


@dataclass(frozen=True)
class PublishedClasses:
    """The published results per class of one network's test predictions.

    `reference` is the id of its result, `same_network` the ids of results of the same network trained otherwise.
    Values are fractions with the digits of the source; `confusion` has the counts by true class (row) and predicted
    class, None where the source lacks the row.
    """

    reference: str
    same_network: tuple[str, ...]
    system: str
    source: str
    note: str
    dataset: str
    classes: tuple[str, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]
    confusion: tuple[tuple[int, ...] | None, ...]

    @property
    def repeated_by(self) -> tuple[str, ...]:
        """The ids of results whose reproductions can be compared with these."""
        return (self.reference, *self.same_network)


def class_metrics(references: Iterable[str]) -> tuple[PublishedClasses, ...]:
    """The published results per class that reproductions of these references can be compared with."""
    wanted = set(references)
    return tuple(published for published in _all_classes() if wanted & set(published.repeated_by))


@cache
def _all_classes() -> tuple[PublishedClasses, ...]:
    data = yaml.safe_load(files("bench.published").joinpath(CLASSES_FILE).read_bytes())
    return tuple(_entry(item) for item in data["entries"])


def _entry(item: JsonObject) -> PublishedClasses:
    rows = item["metrics"]
    counts = item["confusion"]
    return PublishedClasses(
        reference=item["reference"],
        same_network=tuple(item["same_network"]),
        system=item["system"],
        source=item["source"],
        note=item["note"],
        dataset=item["dataset"],
        classes=tuple(rows),
        precision=tuple(row[0] for row in rows.values()),
        recall=tuple(row[1] for row in rows.values()),
        f1=tuple(row[2] for row in rows.values()),
        support=tuple(row[3] for row in rows.values()),
        confusion=tuple(None if counts[name] is None else tuple(counts[name]) for name in rows),
    )


CURVES_FILE = "curves.csv"


@dataclass(frozen=True)
class Curve:
    """Validation accuracy by epoch, as fractions; `from_scratch` is False where the run continued an earlier fit."""

    values: tuple[float, ...]
    from_scratch: bool

    def best_within(self, epochs: int) -> float:
        """The highest value of the first `epochs` epochs (all of them where there are fewer)."""
        return max(self.values[:epochs])


def curve(reference: str) -> Curve | None:
    """The curve of a published result, by its id; None where its source has none."""
    return _all_curves().get(reference)


@cache
def _all_curves() -> dict[str, Curve]:
    text = files("bench.published").joinpath(CURVES_FILE).read_text(encoding="utf-8")
    by_reference: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        by_reference.setdefault(row["reference"], []).append(row)
    return {
        name: Curve(tuple(float(row["val_accuracy"]) for row in rows), rows[0]["from_scratch"] == "yes")
        for name, rows in by_reference.items()
    }
