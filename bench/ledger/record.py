"""What one trial left: the record, and the predictions that lie beside it."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bench.ledger.record_check import check_record

SCHEMA = 1
"""Raised when the meaning of a stored field changes; readers refuse records of a later schema."""

Status = Literal["complete", "diverged", "pruned", "failed"]
Metrics = dict[str, float]
"""Metric name to value, e.g. ``{"accuracy": 0.8835, "loss": 0.34}``; accuracies are fractions in [0, 1]."""


@dataclass(frozen=True)
class Result:
    """What a trial found; the same to the last bit for the same key, CPU and versions.

    `curves` maps a name (``train_loss``, ``train_accuracy``, ``val_loss``, ``val_accuracy``, ``lr``) to one
    value per epoch run; a value that was not finite is None. `chosen_epoch` counts from 1 and is the epoch
    whose weights were tested. `train`, `validation` and `test` are None where the trial did not get there
    (pruned, diverged) or has no such part (``validation: none``).
    """

    curves: dict[str, list[float | None]]
    epochs_run: int
    chosen_epoch: int | None = None
    train: Metrics | None = None
    validation: Metrics | None = None
    test: Metrics | None = None
    classes: list[str] = field(default_factory=list)


PARTS = ("train", "validation", "test")
"""The parts of the data that a result has final figures of."""


@dataclass(frozen=True)
class Measured:
    """What it cost, and where: seconds, bytes and versions, which differ from run to run.

    `flops` counts multiply-adds twice, for one picture forward. `train_seconds` leaves evaluation out.
    `started` and `finished` are ISO 8601 with an offset; a time without one is read as UTC.
    """

    parameters: int | None = None
    parameters_trainable: int | None = None
    flops: int | None = None
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    peak_memory_bytes: int | None = None
    device: str = ""
    threads: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    started: str = ""
    finished: str = ""


@dataclass(frozen=True)
class Record:
    """One trial, whole: what was asked (`config`, `seed`, under `key`), what came of it, and what it cost.

    `configuration` is the key without the seed: records that share it are seeds of one configuration, of the same
    data and code. `pruning` holds the rule and the rung decisions for a trial that ran under ASHA, `failure` the kind,
    message and traceback of one that failed.
    """

    key: str
    config: dict[str, Any]
    seed: int
    status: Status
    result: Result
    measured: Measured
    configuration: str = ""
    suite: str = ""
    pruning: dict[str, Any] | None = None
    failure: dict[str, str] | None = None
    schema: int = SCHEMA

    @property
    def last_epoch(self) -> int:
        """The epoch it ended in, from 1: of a trial that failed, the one that was under way."""
        done = self.result.epochs_run
        return min(done + 1, self.config.get("epochs", done)) if self.status == "failed" else done

    def to_json(self) -> dict[str, Any]:
        """As dicts all the way down, to be written out; the lists and dicts in it are the record's own."""
        return {**vars(self), "result": dict(vars(self.result)), "measured": dict(vars(self.measured))}

    @classmethod
    def from_json(cls, data: Any) -> Record:
        """Build a record from `to_json`'s form.

        A field that has a default may be missing, so that an older ledger stays readable after one was added.
        Raises ValueError when `data` is not a record (`bench.ledger.record_check`) or is one of a later schema.
        """
        if not isinstance(data, dict) or type(data.get("schema")) is not int:
            raise ValueError("not a record: no schema number")
        if not 1 <= data["schema"] <= SCHEMA:
            raise ValueError(f"record of schema {data['schema']}, this version reads up to {SCHEMA}")
        missing = _REQUIRED - data.keys()
        if missing:
            raise ValueError(f"record lacks {', '.join(sorted(missing))}")
        if data["status"] not in _STATUSES:
            raise ValueError(f"record has status {data['status']!r}, allowed are {', '.join(_STATUSES)}")
        check_record(data)
        try:
            return cls(**{**data, "result": Result(**data["result"]), "measured": Measured(**data["measured"])})
        except TypeError as error:
            raise ValueError(f"not a record: {error}") from error


_STATUSES = get_args(Status)
_REQUIRED = {f.name for f in fields(Record) if f.default is MISSING}


@dataclass(frozen=True)
class Predictions:
    """What the network said of each test picture, in the test set's own order; arrays of length n.

    `labels` and `predicted` are class numbers, `confidence` the probability of the predicted class,
    `true_confidence` that of the true class, `true_rank` how many classes were rated above the true one
    (0 when it was right). uint8 (uint16 above 256 classes) and float32. Of predictions that were added as classes
    alone, the confidences are nan and the ranks of true classes that were missed the largest number of their type.
    """

    labels: NDArray[np.unsignedinteger[Any]]
    predicted: NDArray[np.unsignedinteger[Any]]
    confidence: NDArray[np.float32]
    true_confidence: NDArray[np.float32]
    true_rank: NDArray[np.unsignedinteger[Any]]

    def __post_init__(self) -> None:
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        shapes = {name: array.shape for name, array in arrays.items()}
        if len(set(shapes.values())) != 1 or self.labels.ndim != 1:
            raise ValueError(f"predictions must be arrays of one length, found shapes {shapes}")
        for name, array in arrays.items():
            stored = array.dtype.str[1:] == "f4" if name.endswith("confidence") else array.dtype.kind == "u"
            if not stored:
                raise ValueError(f"predictions: {name} is {array.dtype}; numbers are unsigned, confidences float32")
