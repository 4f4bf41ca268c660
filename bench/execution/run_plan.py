"""What a suite would run, as data and as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bench.errors import plural
from bench.execution.cost_estimate import DurationEstimate
from bench.execution.progress import duration
from bench.execution.pruning import Asha
from bench.ledger.record import Record
from bench.suite.labels import axis_label
from bench.suite.schema import AXIS_ORDER, LATER, Settings
from bench.suite.suite import Suite
from bench.suite.trial import Trial

if TYPE_CHECKING:
    from bench.execution.cost_estimate import OperationCost


def plan_json(
    suite: Suite,
    trials: list[Trial],
    missing: list[Trial],
    done: dict[str, Record],
    cost: DurationEstimate,
    slots: int,
    counted: OperationCost | None = None,
    unchecked: int = 0,
) -> dict[str, Any]:
    """Counts per level of each axis, and of each setting that varies, and per status; the estimate; plain JSON.

    With the arithmetic where the estimate knows nothing. `unchecked` networks were not yet built for their images.
    """
    configs = list({trial.group: trial.config.to_json() for trial in trials}.values())
    axes: dict[str, dict[str, int]] = {}
    names: dict[int, str] = {}  # entries are shared between configurations: name each once
    for config in configs:
        for axis in AXIS_ORDER:
            value = config.get(axis, LATER.get(axis))
            level = names.get(id(value)) or names.setdefault(id(value), axis_label(value, axis))
            axes.setdefault(axis, {})[level] = axes.get(axis, {}).get(level, 0) + 1
    for setting in Settings.model_fields:
        values = [config.get(setting, LATER.get(setting)) for config in configs]
        if any(value != values[0] for value in values):
            axes[setting] = dict(Counter(map(axis_label, values)))
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
        "brackets": _brackets(suite, trials),
        "epochs": sum(trial.config.epochs for trial in missing),
        "axes": axes,
        "slots": slots,
        "estimate": {
            "seconds": round(cost.seconds, 1) if cost.known else None,
            "memory_bytes": cost.memory_bytes if cost.known else None,
            "trials_known": cost.known,
            "trials_unknown": cost.unknown,
            "arithmetic": _operations(counted) if counted else None,
        },
        "networks_unchecked": unchecked,
        "keys": [trial.key for trial in trials],
    }


def plan_text(plan: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{plan['suite']}: {plan['title']}",
        f"{plural(plan['configurations'], 'configuration')}, {plural(plan['trials'], 'trial')}",
    ]
    if plan["repeated_configurations"]:
        repeated = plan["repeated_configurations"]
        stand = "stands" if repeated == 1 else "stand"
        lines.append(
            f"{plural(repeated, 'configuration')} {stand} in the file twice and run{'s' * (repeated == 1)} once"
        )
    for axis, levels in plan["axes"].items():
        shown = [f"{level} ({count:,})" for level, count in list(levels.items())[:8]]
        more = f", ... {len(levels) - 8:,} more" if len(levels) > 8 else ""
        lines.append(f"  {axis:<14} {', '.join(shown)}{more}")
    done = ", ".join(f"{count:,} {status}" for status, count in plan["done"].items())
    to_run = f"{plural(plan['to_run'], 'trial')}, {plural(plan['epochs'], 'epoch')}"
    lines.append(f"in the ledger: {done or 'none'}; to run: {to_run}")
    if plan["pruning"]:
        rule = plan["pruning"]
        lines.append(
            f"pruning: ASHA within {' x '.join(rule['group'])}, first after {plural(rule['grace_period'], 'epoch')}, "
            f"one in {rule['reduction_factor']} goes on"
            + (f"; {_brackets_text(rule['brackets'], plan['brackets'])}" if plan["brackets"] else "")
            + "; the estimate is without it"
        )
    cost = plan["estimate"]
    if plan["to_run"] and cost["seconds"] is not None:
        lines.append(
            f"about {duration(cost['seconds'])} with {plan['slots']} side by side, "
            f"{cost['memory_bytes'] / 2**30:.1f} GiB for the processes that train"
        )
    arithmetic = cost["arithmetic"]
    if arithmetic:
        lines.append(_operations_text(arithmetic, plan["slots"]))
    unknown = cost["trials_unknown"] - (arithmetic["trials"] if arithmetic else 0)
    if unknown:
        lines.append(
            f"no estimate for {plural(unknown, 'trial')}: nothing alike has run, and their operations are not yet "
            "counted; --measure measures, and so does the run"
        )
    if plan["networks_unchecked"]:
        networks = plural(plan["networks_unchecked"], "network")
        lines.append(f"{networks} not yet built for these images: `bench run` does that before anything trains")
    return "\n".join(lines)


def _brackets(suite: Suite, trials: list[Trial]) -> dict[str, int] | None:
    """Budget in epochs to how many brackets it leaves; None without several."""
    if suite.pruning is None or suite.pruning.brackets == 1:
        return None
    asha = Asha(suite.pruning)
    return {
        str(epochs): len(asha.bracket_fractions(epochs)) for epochs in sorted({trial.config.epochs for trial in trials})
    }


def _brackets_text(wanted: int, left: dict[str, int]) -> str:
    if set(left.values()) == {wanted}:
        return f"in {wanted} brackets, as Hyperband"
    each = [f"{count} for {plural(int(epochs), 'epoch')}" for epochs, count in left.items()]
    return f"in brackets, as Hyperband: of {wanted}, the budget leaves {', '.join(each)}"


def _operations(total: OperationCost) -> dict[str, Any]:
    return {
        "trials": total.trials,
        "pflop": total.flop / 1e15,
        "seconds": round(total.seconds, 1),
        "flop_per_second": total.rate,
        "rate": "measured" if total.measured else "assumed",
        "gpu_seconds": round(total.gpu_seconds, 1),
        "gpu_flop_per_second": total.gpu_rate,
    }


def _operations_text(arithmetic: dict[str, Any], slots: int) -> str:
    measured = arithmetic["rate"] == "measured"
    each = _rate(arithmetic["flop_per_second"])
    rate = f"{each} each, the median of this machine's records" if measured else f"an assumed {each} each"
    return (
        f"for {plural(arithmetic['trials'], 'trial')} nothing alike has run: training takes "
        f"{_pflop(arithmetic['pflop'])} PFLOP (3 x forward x images x epochs),\n"
        f"  about {duration(arithmetic['seconds'])} with {slots} side by side at {rate}, or "
        f"{duration(arithmetic['gpu_seconds'])} on one GPU at an assumed {_rate(arithmetic['gpu_flop_per_second'])}; "
        "--measure measures"
    )


def _pflop(pflop: float) -> str:
    return f"{pflop:,.0f}" if pflop >= 100 else f"{pflop:.3g}"


def _rate(flop_per_second: float) -> str:
    scale, unit = (1e12, "TFLOP/s") if flop_per_second >= 1e12 else (1e9, "GFLOP/s")
    return f"{flop_per_second / scale:.3g} {unit}"
