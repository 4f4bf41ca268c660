"""Does a trial that was run again agree with its record? Bit for bit where it must, else within noise."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from bench.jsonutil import canonical
from bench.ledger.record import PARTS, Record, Result, RunInfo
from bench.metrics import Predictions
from bench.statistics.intervals import PooledDeviation, binomial_noise, pooled_seed_deviation
from bench.statistics.versus_published import agreement

ReproductionVerdict = Literal["bit-identical", "within noise", "differs"]

IGNORED_PACKAGES = ("ray",)
"""Decides where a trial runs, not its result."""


@dataclass(frozen=True)
class Reproduction:
    """How a trial that was run again compares with its record.

    `fields` are the result fields that differ, `new_fields` those that the record does not have, `environment` the
    differences of machine and versions. `strict` is whether it had to be bit-identical. `before` and `after` are the
    test accuracies as fractions, None where there is none; `noise` is how far they may differ by chance.
    """

    verdict: ReproductionVerdict
    strict: bool
    fields: tuple[str, ...]
    new_fields: tuple[str, ...]
    environment: tuple[str, ...]
    before: float | None
    after: float | None
    noise: float | None

    @property
    def agrees(self) -> bool:
        return self.verdict != "differs"


def check_reproduction(
    record: Record,
    stored: Predictions | None,
    result: Result,
    run_info: RunInfo,
    predictions: Predictions | None,
    status: str,
    pooled: PooledDeviation | None,
    on_cpu: bool,
) -> Reproduction:
    """Compare a trial that was run again with its record.

    On the same processor, with the same versions and number of threads, every result field must be equal (on a GPU only
    with `deterministic: true`). Elsewhere the test accuracy must lie within the 95 % prediction interval for one more
    run: t * s * sqrt(2), s the deviation between seeds.

    Parameters
    ----------
    record, stored
        The record and its predictions.
    result, run_info, predictions, status
        The results of running it again.
    pooled
        s with its degrees of freedom; without it s is the binomial lower bound, sqrt(error / 2n).
    on_cpu
        Whether it was run again on a CPU.
    """
    differing, new = _result_fields(record.result, result)
    if status != record.status:
        differing.insert(0, f"status: {record.status} -> {status}")
    differing += _prediction_fields(stored, predictions)
    environment = _environment_changes(record.run_info, run_info)
    strict = not environment and (on_cpu or bool(record.config.get("deterministic")))
    before, after = ((r.test or {}).get("accuracy") for r in (record.result, result))
    images = len(stored.labels) if stored else 0
    noise = None
    verdict: ReproductionVerdict = "differs"
    if not differing:
        verdict = "bit-identical"
    elif before is not None and after is not None and images and status == record.status:
        compared = agreement(before, 1, after, pooled or binomial_noise(1 - before, images))
        noise = compared.half_width
        if compared.position == "within" and not strict:
            verdict = "within noise"
    elif status == record.status and not strict:
        verdict = "within noise"  # it diverged again, in another way
    return Reproduction(verdict, strict, tuple(differing), tuple(new), tuple(environment), before, after, noise)


def _result_fields(before: Result, after: Result) -> tuple[list[str], list[str]]:
    """The fields that differ, and those that only `after` has, each as ``test.accuracy: 0.88 -> 0.89``."""
    # As a ledger stores them: None for what is not finite, lists for tuples.
    old, new = (json.loads(json.dumps(asdict(result))) for result in (before, after))
    differing, added = [], []
    for name, value in new.items():
        if name in (*PARTS, "curves"):
            old_values, new_values = old[name] or {}, value or {}
            for metric in sorted(old_values.keys() | new_values.keys()):
                if old[name] is not None and metric not in old_values:
                    added.append(f"{name}.{metric}")
                elif old_values.get(metric) != new_values.get(metric):
                    differing.append(_change(f"{name}.{metric}", old_values.get(metric), new_values.get(metric)))
        elif old[name] != value:
            differing.append(_change(name, old[name], value))
    return differing, added


def _change(name: str, old: Any, new: Any) -> str:
    if name.startswith("curves.") and isinstance(old, list) and isinstance(new, list):
        epoch = next((i for i, pair in enumerate(zip(old, new, strict=False), 1) if pair[0] != pair[1]), None)
        return f"{name}: from epoch {epoch} on" if epoch else f"{name}: {len(old)} -> {len(new)} epochs"
    return f"{name}: {old} -> {new}"


def _prediction_fields(stored: Predictions | None, predictions: Predictions | None) -> list[str]:
    if stored is None or predictions is None:
        if stored is predictions:
            return []
        return [f"predictions: {'none -> some' if stored is None else 'some -> none'}"]
    changes = []
    for field in fields(Predictions):
        old, new = getattr(stored, field.name), getattr(predictions, field.name)
        if old is None or new is None:
            continue
        if old.shape != new.shape:
            changes.append(f"predictions.{field.name}: {len(old):,} -> {len(new):,} images")
        elif not np.array_equal(old, new):
            count = np.count_nonzero(old != new)
            changes.append(f"predictions.{field.name}: differs for {count:,} of {len(old):,} images")
    return changes


def _environment_changes(before: RunInfo, after: RunInfo) -> list[str]:
    pairs = [("device", before.device, after.device), ("threads", before.threads, after.threads)]
    packages = sorted((before.versions.keys() | after.versions.keys()) - set(IGNORED_PACKAGES))
    pairs += [(name, before.versions.get(name), after.versions.get(name)) for name in packages]
    return [f"{name}: {old or 'unknown'} -> {new or 'unknown'}" for name, old, new in pairs if old != new]


def seed_noise(record: Record, records: Iterable[Record]) -> PooledDeviation | None:
    """The deviation between seeds of the same network on the same data, pooled over the ledger's configurations.

    None with fewer than two degrees of freedom, with which anything would agree.
    """
    accuracies: dict[str, list[float]] = {}
    for other in records:
        same = all(other.config.get(key) == record.config.get(key) for key in ("dataset", "model", "epochs"))
        if same and other.status == "complete" and other.result.test:
            key = other.config_key or canonical(other.config)
            accuracies.setdefault(key, []).append(other.result.test["accuracy"])
    pooled = pooled_seed_deviation(accuracies.values())
    return pooled if pooled and pooled.degrees >= 2 else None


def reproduction_text(record: Record, reproduction: Reproduction, commit: str | None) -> str:
    """The verdict, then what differs."""
    name = f"{record.key} (seed {record.seed})"
    accuracies = f"test accuracy {_percent(reproduction.before)}, now {_percent(reproduction.after)}"
    noise = f" (up to {100 * reproduction.noise:.2f} points by chance)" if reproduction.noise is not None else ""
    if reproduction.verdict == "bit-identical":
        lines = [f"{name} is bit-identical: {accuracies}"]
    elif reproduction.verdict == "within noise":
        lines = [f"{name} agrees within noise: {accuracies}{noise}"]
    else:
        strict = ", although machine, versions and threads are those of the record" if reproduction.strict else ""
        lines = [f"{name} differs{strict}: {accuracies}{noise}"]
    lines += [f"  differs: {text}" for text in reproduction.fields]
    lines += [f"  not in the record: {', '.join(reproduction.new_fields)}"] if reproduction.new_fields else []
    lines += [f"  other {text}" for text in reproduction.environment] or ["  same processor, versions and threads"]
    before = record.run_info.git_commit
    if before != commit:
        lines.append(f"  other git commit: {before or 'unknown'} -> {commit or 'unknown'}")
    lines.append("  same data: their checksum is part of the key")
    return "\n".join(lines)


def _percent(accuracy: float | None) -> str:
    return "none" if accuracy is None else f"{100 * accuracy:.2f} %"
