"""The published results as `Reference`s, found by dataset or by id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from bench.suite.errors import UserError, nearest

AT_HALF = {"precision": "precision_at_half", "recall": "recall_at_half"}
"""What the sources call it to our name: theirs are Keras's, micro-averages at a threshold of .5."""

FILES = ("labs.yaml", "fashion_mnist.yaml", "mnist.yaml", "cifar10.yaml")


@dataclass(frozen=True)
class Reference:
    """One published result.

    `value` is a fraction for accuracies and None where the source gives no single figure; `reported` is the
    source's own wording then. `flags` say what to be careful of (``early_split``, ``best_epoch_on_test``,
    ``pretrained``, ``ensemble``, ``exclude_from_ranking``, ...; ``claim``: nobody read the figure in its source, or
    it is not to be believed as it stands). `file` is the package file it stands in.
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
    def figure(self) -> str:
        """The metric without its part, as `bench.suite.metrics` names it."""
        name = self.metric.removeprefix("val_").removeprefix("test_")
        return AT_HALF.get(name, name)


def load(dataset: str | None = None) -> list[Reference]:
    """Every reference, or those of one dataset, in the order of the files; none for a dataset nobody filed."""
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
    return nearest(name, known) or f"the ids stand in {', '.join(FILES)} of bench.published"


@cache
def _all() -> tuple[Reference, ...]:
    return tuple(reference for name in FILES for reference in _read(name))


def _read(name: str) -> list[Reference]:
    # The C parser reads long files much faster; it is missing from some builds of PyYAML.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load(files("bench.published").joinpath(name).read_bytes(), Loader=loader)  # noqa: S506
    shape = _lab_reference if name == "labs.yaml" else _reference
    return [shape(entry, data, name) for entry in data["entries"]]


def _reference(entry: dict[str, Any], data: dict[str, Any], file: str) -> Reference:
    flags = tuple(entry.get("flags") or ())
    is_claim = not entry["verified"] or "implausible" in flags
    return Reference(
        id=entry["id"],
        dataset=data["dataset"],
        model=entry["model"],
        metric=entry["metric"],
        value=entry["value"],
        flags=("claim", *flags) if is_claim else flags,
        protocol=entry["protocol"] or "",
        year=entry["year"],
        url=entry["url"],
        file=file,
        reported=entry["reported"],
        parameters=entry["params"],
    )


def _lab_reference(entry: dict[str, Any], data: dict[str, Any], file: str) -> Reference:
    note = entry.get("note") or ""
    return Reference(
        id=entry["id"],
        dataset=entry["dataset"],
        model=f"lab {entry['lab']}: {entry['system']}",
        metric=entry["metric"],
        value=entry["value"],
        flags=tuple(entry.get("flags") or ()),
        protocol=" ".join(filter(None, [data["protocols"][entry["lab"]], note])),
        year=None,
        url=None,
        file=file,
        reported=entry.get("reported") or "",
        parameters=entry["parameters"],
        epochs=entry["epochs"],
    )
