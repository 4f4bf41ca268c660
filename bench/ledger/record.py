"""A trial's record, and the check of records that others may have written.

A checked record can be labelled, counted and displayed: types and ranges are those that training writes, and texts have
no characters that suite files may not have. Only the texts of a failure may have several lines.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, get_args

from bench.components import AXES
from bench.components.data_questions import SEVERITIES
from bench.errors import UserError, control_character
from bench.jsonutil import JsonObject
from bench.metrics import METRICS
from bench.suite.schema import COUNT_AXES
from bench.suite.search_space import SearchPoint

SCHEMA = 2
"""Raised when the meaning of a stored field changes; records of another schema are refused."""

Status = Literal["complete", "diverged", "pruned", "timed_out", "failed"]
Metrics = dict[str, float]
"""Metric name to value, e.g. ``{"accuracy": 0.8835, "loss": 0.34}``; accuracies are fractions in [0, 1]."""


@dataclass(frozen=True)
class Result:
    """A trial's results; equal to the last bit for the same key, CPU and versions.

    `curves` maps a name (``train_loss``, ``train_accuracy``, ``val_loss``, ``val_accuracy``, ``lr``) to one
    value per epoch run; a value that was not finite is None. `best_epoch` counts from 1 and is the epoch
    whose weights were tested. `train`, `validation` and `test` are None where the trial did not get there
    (pruned, timed out, diverged) or has no such part (``validation: none``). `robustness` maps a corruption to the
    accuracies on all test images at its five severities.
    """

    curves: dict[str, list[float | None]]
    epochs_run: int
    best_epoch: int | None = None
    train: Metrics | None = None
    validation: Metrics | None = None
    test: Metrics | None = None
    classes: list[str] = field(default_factory=list)
    robustness: dict[str, list[float]] | None = None


PARTS = ("train", "validation", "test")
"""The parts of the data that a result has metrics of."""


@dataclass(frozen=True)
class RunInfo:
    """Where a trial ran and what it cost: seconds, bytes and versions, which differ from run to run.

    `flops` counts multiply-adds twice, for one image forward. `train_images` is how many images the tested network was
    trained on, `wrong_labels` how many of their labels `label_noise` had changed. `train_seconds` is without
    evaluation. `images_per_second` is the speed of the test's forward passes, at the batch and on the threads of the
    trial. `started` and `finished` are ISO 8601 with an offset; a time without one is read as UTC.
    """

    parameters: int | None = None
    parameters_trainable: int | None = None
    flops: int | None = None
    train_images: int | None = None
    wrong_labels: int | None = None
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    images_per_second: float | None = None
    peak_memory_bytes: int | None = None
    device: str = ""
    threads: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    started: str = ""
    finished: str = ""


@dataclass(frozen=True)
class Record:
    """One trial: what was run (`key`, `config`, `seed`), its results, and what it cost.

    `config_key` is the key without the seed: records that share it are seeds of one configuration, of the same
    data and code. `pruning` holds the rule and the rung decisions of a pruned run, `failure` the kind,
    message and traceback of one that failed, `search` where a drawn configuration stands in its search
    (`bench.suite.search_space.SearchPoint`).
    """

    key: str
    config: JsonObject
    seed: int
    status: Status
    result: Result
    run_info: RunInfo
    config_key: str = ""
    suite: str = ""
    pruning: JsonObject | None = None
    failure: dict[str, str] | None = None
    search: JsonObject | None = None
    schema: int = SCHEMA

    @property
    def last_epoch(self) -> int:
        """The epoch in which it ended, from 1; a failed trial ended in the one that was not complete."""
        done = self.result.epochs_run
        return min(done + 1, self.config.get("epochs", done)) if self.status == "failed" else done

    def to_json(self) -> JsonObject:
        """Nested dictionaries, for JSON; their lists and dictionaries are not copied."""
        return {**vars(self), "result": dict(vars(self.result)), "run_info": dict(vars(self.run_info))}

    @classmethod
    def from_json(cls, data: Any) -> Record:
        """Build a record from `to_json`'s form.

        Fields with a default may be missing. Raises ValueError when `data` is not a record (`bench.ledger.record`) or
        is one of another schema.
        """
        if not isinstance(data, dict) or type(data.get("schema")) is not int:
            raise ValueError("not a record: no schema number")
        if data["schema"] != SCHEMA:
            raise ValueError(f"record of schema {data['schema']}, this version of bench reads schema {SCHEMA}")
        missing = _REQUIRED - data.keys()
        if missing:
            raise ValueError(f"record lacks {', '.join(sorted(missing))}")
        if data["status"] not in _STATUSES:
            raise ValueError(f"record has status {data['status']!r}, allowed are {', '.join(_STATUSES)}")
        check_record(data)
        try:
            return cls(**{**data, "result": Result(**data["result"]), "run_info": RunInfo(**data["run_info"])})
        except TypeError as error:
            raise ValueError(f"not a record: {error}") from error


_STATUSES = get_args(Status)
_REQUIRED = {f.name for f in fields(Record) if f.default is MISSING}


MAX_DEPTH = 30
"""Levels of a record, as of a suite file."""
MAX_INTEGER = 2**63 - 1
"""Largest integer. Other numbers need only be finite: a suite may ask for `lr: 1e30`, and a loss may reach 1e38."""
ROUNDING = 1e-6
"""Rounding error of fractions, some of which are summed in single precision."""

_Check = Callable[[Any], bool]
_FLOAT = frozenset({float})


def check_record(data: JsonObject) -> None:
    """ValueError where `data` has a field that no record could have; missing fields are not looked for."""
    _check_fields(data, _RECORD, "")
    result: Any = data.get("result")
    run_info: Any = data.get("run_info")
    _check_fields(result, _RESULT, "result.")
    _check_fields(run_info, _RUN_INFO, "run_info.")
    _check_config(data["config"])
    texts = _check_values([data["config"], data.get("pruning") or {}, data.get("search") or {}])
    for part in (result, run_info):
        for value in part.values():
            if type(value) is str:
                texts.append(value)
            elif type(value) is dict:
                texts += value  # names of curves, metrics and packages
    texts += [data.get(name, "") for name in ("key", "config_key", "suite")]
    texts += result.get("classes", ())
    texts += run_info.get("versions", {}).values()
    failure = data.get("failure") or {}
    texts += [*failure, failure.get("kind", "")]
    # Single characters are checked, so the texts can be joined.
    if character := control_character("".join(texts), one_line=True) or control_character("".join(failure.values())):
        raise ValueError(f"record holds a text with the control character {character!r}")


def _check_values(containers: list[Any]) -> list[str]:
    """Check all nested values, level by level; returns their texts."""
    texts: list[str] = []
    for _ in range(MAX_DEPTH):
        nested: list[Any] = []
        for container in containers:
            values = container
            if type(container) is dict:
                texts += container
                values = container.values()
                if "name" in container and type(container["name"]) is not str:
                    raise ValueError(f"record holds {_short(container['name'])} where a name belongs")
            for value in values:
                kind = type(value)
                if kind is str:
                    texts.append(value)
                elif kind is float or kind is int:
                    if not (math.isfinite(value) if kind is float else -MAX_INTEGER <= value <= MAX_INTEGER):
                        raise ValueError("record holds a number that is too large")
                elif value and (kind is dict or kind is list):
                    nested.append(value)
        if not nested:
            return texts
        containers = nested
    raise ValueError(f"record is nested more than {MAX_DEPTH} levels deep")


def _check_fields(data: Any, fields: dict[str, tuple[str, _Check]], path: str) -> None:
    if not isinstance(data, dict):
        raise ValueError(f"not a record: {path.rstrip('.')} is {_short(data)}")
    for name, (what, allowed) in fields.items():
        if name in data and not allowed(data[name]):
            raise ValueError(f"record holds {_short(data[name])} as {path}{name}, where {what} belongs")


def _check_config(config: JsonObject) -> None:
    for axis in ("dataset", "model"):
        if not _is_component(config.get(axis)):
            raise ValueError(f"record holds {_short(config.get(axis))} as config.{axis}, where a component belongs")
    for axis in AXES:
        component = config.get(axis, [])
        if type(component) is dict and type(component.get("name")) is str and component["name"]:
            continue  # the same as `_is_component`, in half the time
        if not (all(map(_is_component, component)) if type(component) is list else _is_component(component)):
            raise ValueError(f"record holds {_short(component)} as config.{axis}, where components belong")
    for name in (*COUNT_AXES, "workers"):
        if name in config and not (_is_count(config[name]) and config[name] > 0):
            raise ValueError(f"record holds {_short(config[name])} as config.{name}, where a count belongs")
    fraction = config.get("fraction", 1.0)
    if not (_is_number(fraction) and 0 < fraction <= 1):
        raise ValueError(f"record holds {_short(fraction)} as config.fraction, where a fraction belongs")
    path = config["dataset"].get("path", "")
    if type(path) is not str:
        raise ValueError(f"record holds {_short(path)} as config.dataset.path, where a path belongs")


def _short(value: Any) -> str:
    return repr(value)[:40]


def _is_component(value: Any) -> bool:
    return type(value) is dict and type(name := value.get("name")) is str and name != ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_INTEGER


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_metrics(value: Any) -> bool:
    if type(value) is not dict:
        return False
    numbers = value.values()
    if numbers and _FLOAT.issuperset(map(type, numbers)) and min(numbers) >= 0 and max(numbers) <= 1:
        return True  # the usual case, checked at once
    return all(_is_metric(name, number) for name, number in value.items())


def _is_metric(name: str, value: Any) -> bool:
    fraction = name in METRICS and METRICS[name].percent
    return _is_number(value) and (not fraction or -ROUNDING <= value <= 1 + ROUNDING)


def _is_curves(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_curve, value.values()))


def _is_curve(value: Any) -> bool:
    if type(value) is not list:
        return False
    if _FLOAT.issuperset(map(type, value)):  # the usual case, checked at once
        return math.isfinite(sum(value))
    return all(number is None or _is_number(number) for number in value)


def _is_robustness(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(accuracies, list)
        and len(accuracies) == len(SEVERITIES)
        and all(_is_metric("accuracy", accuracy) for accuracy in accuracies)
        for accuracies in value.values()
    )


def _is_pruning(value: Any) -> bool:
    decisions = value.get("decisions", []) if isinstance(value, dict) else None
    return isinstance(decisions, list) and all(map(_is_decision, decisions))


def _is_decision(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_count(value.get("epoch"))
        and _is_metric("accuracy", value.get("val_accuracy"))
        and _is_text(value.get("decision"))
    )


def _is_search_point(value: Any) -> bool:
    try:
        SearchPoint.model_validate({**value, "trials": 1})
    except (TypeError, ValueError):
        return False
    return True


def _optional(allowed: _Check) -> _Check:
    return lambda value: value is None or allowed(value)


_TEXT = ("text", _is_text)
_COUNT = ("a count", _is_count)
_COUNT_OR_NONE = ("a count", _optional(_is_count))
_METRICS_OR_NONE = ("metrics", _optional(_is_metrics))

_RECORD: dict[str, tuple[str, _Check]] = {
    "key": _TEXT,
    "config": ("a configuration", lambda value: isinstance(value, dict)),
    "seed": _COUNT,
    "config_key": _TEXT,
    "suite": _TEXT,
    "pruning": ("a rule with decisions", _optional(_is_pruning)),
    "failure": ("texts", _optional(_is_texts)),
    "search": ("a point of a search", _optional(_is_search_point)),
}
_RESULT: dict[str, tuple[str, _Check]] = {
    "curves": ("curves of numbers", _is_curves),
    "epochs_run": _COUNT,
    "best_epoch": _COUNT_OR_NONE,
    "train": _METRICS_OR_NONE,
    "validation": _METRICS_OR_NONE,
    "test": _METRICS_OR_NONE,
    "robustness": ("accuracies at five severities", _optional(_is_robustness)),
    "classes": ("names of classes", lambda value: isinstance(value, list) and all(map(_is_text, value))),
}
_RUN_INFO: dict[str, tuple[str, _Check]] = {
    "parameters": _COUNT_OR_NONE,
    "parameters_trainable": _COUNT_OR_NONE,
    "flops": _COUNT_OR_NONE,
    "train_images": _COUNT_OR_NONE,
    "wrong_labels": _COUNT_OR_NONE,
    "train_seconds": ("seconds", _is_seconds),
    "evaluation_seconds": ("seconds", _is_seconds),
    "images_per_second": ("a rate", _optional(_is_seconds)),
    "peak_memory_bytes": _COUNT_OR_NONE,
    "device": _TEXT,
    "threads": _COUNT_OR_NONE,
    "versions": ("texts", _is_texts),
    "git_commit": ("text", _optional(_is_text)),
    "started": _TEXT,
    "finished": _TEXT,
}


# --- imported predictions -------------------------------------------------------------------------

EXTERNAL = "added"
"""The key that marks the config of imported predictions."""


def external_config(name: str, dataset: JsonObject) -> JsonObject:
    """The config of imported predictions: a name and a data set; how they were trained is unknown."""
    return {"dataset": dataset, "model": {"name": name}, EXTERNAL: {"name": name}}


def is_external(config: JsonObject) -> bool:
    """Whether a config is of imported predictions, whose protocol is unknown and which cannot be run."""
    return EXTERNAL in config


def external_key(config: JsonObject, fingerprint: str, seed: int | None) -> str:
    """Twenty hex digits for a name, a data set and a seed; without a seed, the config_key."""
    text = json.dumps([EXTERNAL, config, fingerprint, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def check_runnable(record: Record) -> None:
    """UserError for imported predictions: how they were trained is unknown."""
    if is_external(record.config):
        raise UserError(
            f"{record.key}: {record.config['model']['name']!r} was added from its predictions (`bench import`); "
            "how it was trained is unknown, so it cannot be run again"
        )
