"""How the record of a trial that was trained anew differs from the one that it replaces, in words."""

from __future__ import annotations

from itertools import zip_longest

from bench.ledger.record import PARTS, Record

MAX_DIFFERENCES = 12
"""Lines on how a trial that was trained anew differs from its old record."""


def replacement_text(old: Record, new: Record) -> str:
    """What a person should know of a trial that was trained anew; "" where its results are the same."""
    differences = result_differences(old, new)
    if not differences:
        return ""
    before, after = ({**r.run_info.versions, "device": r.run_info.device} for r in (old, new))
    changed = [
        f"{name} {before.get(name)}, now {after.get(name)}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    reason = (
        f"with other versions: {', '.join(changed)}"
        if changed
        else "WITH THE SAME VERSIONS on the same device: something that the key does not cover has changed, such as a "
        "file that your code reads, or its kernels are not deterministic"
    )
    lines = "".join(f"\n  {line}" for line in differences[:MAX_DIFFERENCES])
    more = f"\n  and {len(differences) - MAX_DIFFERENCES} more" if len(differences) > MAX_DIFFERENCES else ""
    return f"WARNING: trial {new.key[:8]}, trained anew, has OTHER RESULTS than before, {reason}{lines}{more}"


def result_differences(old: Record, new: Record) -> list[str]:
    """The result fields in which two records of one key differ, a line each; accuracies and losses come first."""
    lines = [f"status: {old.status}, now {new.status}"] if old.status != new.status else []
    first: list[str] = []
    others: list[str] = []
    for part in reversed(PARTS):
        before, after = getattr(old.result, part) or {}, getattr(new.result, part) or {}
        for metric in dict.fromkeys([*before, *after]):
            if before.get(metric) != after.get(metric):
                line = f"{part} {metric}: {before.get(metric)}, now {after.get(metric)}"
                (first if metric in ("accuracy", "loss") else others).append(line)
    for name in dict.fromkeys([*old.result.curves, *new.result.curves]):
        pairs = zip_longest(old.result.curves.get(name, []), new.result.curves.get(name, []))
        if difference := next(((n, *pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1]), None):
            first.append("{}, epoch {}: {}, now {}".format(name, *difference))
    if old.result.best_epoch != new.result.best_epoch:
        first.append(f"best epoch: {old.result.best_epoch}, now {new.result.best_epoch}")
    return [*lines, *first, *others]
