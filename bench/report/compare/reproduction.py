"""Does a trial that was run again agree with its record? To the bit where it must, else within noise."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from bench.jsonutil import canonical
from bench.ledger.record import PARTS, Predictions, Record, Result, RunInfo
from bench.statistics.intervals import PooledDeviation, binomial_noise, pooled_seed_deviation
from bench.statistics.versus_published import agreement

ReproductionVerdict = Literal["to the bit", "within noise", "differs"]

IGNORED_PACKAGES = ("ray",)
"""Decides where a trial runs, not what it finds."""


@dataclass(frozen=True)
class Reproduction:
    """What a repetition showed.

    `fields` are the result fields that differ, `new_fields` those that the record does not have, `environment` what
    differs around the trial. `strict` is whether it had to agree to the bit. `before` and `now` are the test figures,
    as fractions, None where there is none; `noise` is how far they may differ by chance.
    """

    word: ReproductionVerdict
    strict: bool
    fields: tuple[str, ...]
    new_fields: tuple[str, ...]
    environment: tuple[str, ...]
    before: float | None
    now: float | None
    noise: float | None

    @property
    def agrees(self) -> bool:
        return self.word != "differs"


def check_reproduction(
    record: Record,
    predictions: Predictions | None,
    result: Result,
    measured: RunInfo,
    now: Predictions | None,
    status: str,
    pooled: PooledDeviation | None,
    on_cpu: bool,
) -> Reproduction:
    """Hold a repetition against its record.

    On the same processor, with the same versions and number of threads, every result field must be equal (on a GPU only
    with `deterministic: true`). Elsewhere the test accuracy has to lie within the 95 % prediction interval for one more
    run: t * s * sqrt(2), s the deviation between seeds.

    Parameters
    ----------
    record, predictions
        As they were stored.
    result, measured, now, status
        What came of the repetition; its predictions are `now`.
    pooled
        s with its degrees of freedom; without it s is theory's least, sqrt(error / 2n).
    on_cpu
        Whether the repetition ran on a CPU.
    """
    differing, new = _result_fields(record.result, result)
    if status != record.status:
        differing.insert(0, f"status: {record.status} -> {status}")
    differing += _prediction_fields(predictions, now)
    environment = _environment_changes(record.run_info, measured)
    strict = not environment and (on_cpu or bool(record.config.get("deterministic")))
    before, after = ((one.test or {}).get("accuracy") for one in (record.result, result))
    images = len(predictions.labels) if predictions else 0
    noise = None
    word: ReproductionVerdict = "differs"
    if not differing:
        word = "to the bit"
    elif before is not None and after is not None and images and status == record.status:
        told = agreement(before, 1, after, pooled or binomial_noise(1 - before, images))
        noise = told.half_width
        if told.word == "within" and not strict:
            word = "within noise"
    elif status == record.status and not strict:
        word = "within noise"  # it diverged again, in another way
    return Reproduction(word, strict, tuple(differing), tuple(new), tuple(environment), before, after, noise)


def _result_fields(before: Result, now: Result) -> tuple[list[str], list[str]]:
    """The fields that differ, and those that only `now` has, each as ``test.accuracy: 0.88 -> 0.89``."""
    # As a ledger holds it: what is not finite is None, lists for tuples.
    first, second = (json.loads(json.dumps(asdict(one))) for one in (before, now))
    differing, new = [], []
    for name, value in second.items():
        if name in (*PARTS, "curves"):
            for metric in sorted((first[name] or {}).keys() | (value or {}).keys()):
                old, found = (first[name] or {}).get(metric), (value or {}).get(metric)
                if first[name] is not None and metric not in first[name]:
                    new.append(f"{name}.{metric}")
                elif old != found:
                    differing.append(_changed(f"{name}.{metric}", old, found))
        elif first[name] != value:
            differing.append(_changed(name, first[name], value))
    return differing, new


def _changed(name: str, old: Any, found: Any) -> str:
    if name.startswith("curves.") and isinstance(old, list) and isinstance(found, list):
        epoch = next((i for i, pair in enumerate(zip(old, found, strict=False), 1) if pair[0] != pair[1]), None)
        return f"{name}: from epoch {epoch} on" if epoch else f"{name}: {len(old)} -> {len(found)} epochs"
    return f"{name}: {old} -> {found}"


def _prediction_fields(before: Predictions | None, now: Predictions | None) -> list[str]:
    if before is None or now is None:
        return [] if before is now else [f"predictions: there {'was' if before is None else 'is'} none"]
    found = []
    for field in fields(Predictions):
        old, new = getattr(before, field.name), getattr(now, field.name)
        if old.shape != new.shape:
            found.append(f"predictions.{field.name}: {len(old):,} -> {len(new):,} images")
        elif not np.array_equal(old, new):
            found.append(f"predictions.{field.name}: other for {np.count_nonzero(old != new):,} of {len(old):,} images")
    return found


def _environment_changes(before: RunInfo, now: RunInfo) -> list[str]:
    pairs = [("device", before.device, now.device), ("threads", before.threads, now.threads)]
    names = sorted(before.versions.keys() | now.versions.keys())
    pairs += [
        (name, before.versions.get(name), now.versions.get(name)) for name in names if name not in IGNORED_PACKAGES
    ]
    return [f"{name}: {old or 'unknown'} -> {new or 'unknown'}" for name, old, new in pairs if old != new]


def seed_noise(record: Record, records: Iterable[Record]) -> PooledDeviation | None:
    """The deviation between seeds of the same network on the same data, pooled over what the ledger has of it.

    None with fewer than two degrees of freedom, which would let anything agree.
    """
    alike: dict[str, list[float]] = {}
    for other in records:
        same = all(other.config.get(key) == record.config.get(key) for key in ("dataset", "model", "epochs"))
        if same and other.status == "complete" and other.result.test:
            alike.setdefault(other.config_key or canonical(other.config), []).append(other.result.test["accuracy"])
    pooled = pooled_seed_deviation(alike.values())
    return pooled if pooled and pooled.degrees >= 2 else None


def reproduction_text(record: Record, found: Reproduction, commit: str | None) -> str:
    """What a repetition showed, for people: the verdict first."""
    name = f"{record.key} (seed {record.seed})"
    figures = f"test accuracy {_percent(found.before)}, now {_percent(found.now)}"
    noise = f" (by chance up to {100 * found.noise:.2f} points)" if found.noise is not None else ""
    if found.word == "to the bit":
        lines = [f"{name} agrees to the bit: {figures}"]
    elif found.word == "within noise":
        lines = [f"{name} agrees within noise: {figures}{noise}"]
    else:
        must = ", although machine, versions and threads are those of the record" if found.strict else ""
        lines = [f"{name} differs{must}: {figures}{noise}"]
    lines += [f"  differs: {text}" for text in found.fields]
    lines += [f"  not in the record: {', '.join(found.new_fields)}"] if found.new_fields else []
    lines += [f"  another {text}" for text in found.environment] or ["  the same processor, versions and threads"]
    before = record.run_info.git_commit
    if before != commit:
        lines.append(f"  another git commit: {before or 'unknown'} -> {commit or 'unknown'}")
    lines.append("  the same data, to the checksum: it is part of the key")
    return "\n".join(lines)


def _percent(accuracy: float | None) -> str:
    return "none" if accuracy is None else f"{100 * accuracy:.2f} %"
