"""What a suite would run, as data and as text."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench.execution.estimate import Estimate
from bench.execution.progress import duration
from bench.ledger.record import Record
from bench.suite.labels import axis_label
from bench.suite.schema import AXIS_ORDER
from bench.suite.suite import Suite
from bench.suite.trial import Trial


def plan_json(
    suite: Suite,
    trials: list[Trial],
    missing: list[Trial],
    done: dict[str, Record],
    cost: Estimate,
    slots: int,
) -> dict[str, Any]:
    """Counts per axis level and per status, and the estimate; plain JSON."""
    axes: dict[str, dict[str, int]] = {}
    names: dict[int, str] = {}  # entries are shared between configurations: name each once
    for config in {trial.group: trial.config for trial in trials}.values():
        for axis in AXIS_ORDER:
            value = config[axis]
            name = names.setdefault(id(value), axis_label(value, axis)) if isinstance(value, dict) else None
            level = name or axis_label(value, axis)
            axes.setdefault(axis, {})[level] = axes.get(axis, {}).get(level, 0) + 1
    statuses = Counter(done[trial.key].status for trial in trials if trial.key in done)
    return {
        "suite": suite.name,
        "title": suite.title,
        "file": str(suite.path),
        "configurations": len(suite.configurations),
        "repeated_configurations": suite.repeated,
        "trials": len(trials),
        "done": dict(statuses),
        "to_run": len(missing),
        "pruning": suite.pruning.model_dump(mode="json") if suite.pruning else None,
        "epochs": sum(trial.config["epochs"] for trial in missing),
        "axes": axes,
        "slots": slots,
        "estimate": {
            "seconds": round(cost.seconds, 1) if cost.known else None,
            "memory_bytes": cost.memory_bytes if cost.known else None,
            "trials_known": cost.known,
            "trials_unknown": cost.unknown,
        },
        "keys": [trial.key for trial in trials],
    }


def plan_text(plan: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{plan['suite']}: {plan['title']}",
        f"{plan['configurations']:,} configurations, {plan['trials']:,} trials",
    ]
    if plan["repeated_configurations"]:
        lines.append(f"{plan['repeated_configurations']:,} configurations stand in the file twice and run once")
    for axis, levels in plan["axes"].items():
        shown = [f"{level} ({count:,})" for level, count in list(levels.items())[:8]]
        more = f", ... {len(levels) - 8:,} more" if len(levels) > 8 else ""
        lines.append(f"  {axis:<14} {', '.join(shown)}{more}")
    done = ", ".join(f"{count:,} {status}" for status, count in plan["done"].items())
    lines.append(f"in the ledger: {done or 'none'}; to run: {plan['to_run']:,} trials, {plan['epochs']:,} epochs")
    if plan["pruning"]:
        rule = plan["pruning"]
        lines.append(
            f"pruning: ASHA within {' x '.join(rule['group'])}, first after {rule['grace']} epochs, "
            f"one in {rule['reduction']} goes on"
            + (f"; in {rule['brackets']} brackets, as Hyperband" if "brackets" in rule else "")
            + "; the estimate is without it"
        )
    cost = plan["estimate"]
    if plan["to_run"] and cost["seconds"] is not None:
        lines.append(
            f"about {duration(cost['seconds'])} with {plan['slots']} side by side, "
            f"{cost['memory_bytes'] / 2**30:.1f} GiB for the processes that train"
        )
    if cost["trials_unknown"]:
        lines.append(f"no estimate for {cost['trials_unknown']:,} trials: nothing alike has run; try --probe")
    return "\n".join(lines)
