"""`bench plan`: what a suite would run, and what that would cost."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.check_suites import (
    check_data,
    check_metrics,
    checked_for_plan,
    data_locations,
)
from bench.commands.data import datasets_of
from bench.commands.load_results import confirmation, warn_damaged
from bench.commands.load_suites import load, proposed_trials_of
from bench.commands.options import (
    RESULTS,
    AsJson,
    CpusPerTrial,
    DataDir,
    GpusPerTrial,
    Jobs,
    NoUserCode,
    Only,
    Results,
    Seeds,
    Set,
    SuiteArgument,
)
from bench.commands.plan_pruning import n_brackets, pruning_cost, pruning_lines
from bench.errors import plural
from bench.execution.adaptive_search import standins, to_propose
from bench.execution.cost_estimate import MEASURE_SECONDS, estimate, from_measured_steps, from_records, n_trial_kinds
from bench.execution.operation_cost import MAX_NETWORKS, operation_cost
from bench.execution.precision_cost import precision_warning
from bench.execution.progress import duration
from bench.execution.pruning import rule
from bench.execution.scheduler import work_plan
from bench.jsonutil import JsonObject
from bench.ledger.ledger import Ledger
from bench.streams import reserve_stdout
from bench.suite.comparable import comparable
from bench.suite.labels import axis_label
from bench.suite.schema import AXIS_ORDER, DATA_QUESTIONS, OMITTED_DEFAULTS, Settings
from bench.system import slots as slots_of_machine

if TYPE_CHECKING:
    from bench.execution.cost_estimate import DurationEstimate
    from bench.execution.operation_cost import OperationCost
    from bench.ledger.record import Record
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial


Plan = JsonObject
"""A plan as `--json` prints it."""


def plan(
    suites: SuiteArgument,
    only: Only = None,
    set_: Set = None,
    seeds: Seeds = None,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    jobs: Jobs = None,
    cpus_per_trial: CpusPerTrial = 1,
    gpus_per_trial: GpusPerTrial = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Measure a few steps of each kind of trial, for at most 30 s each unless 32 images take longer; the "
            "estimate is then a range.",
        ),
    ] = False,
    no_user_code: NoUserCode = False,
    as_json: AsJson = False,
) -> None:
    """Show what a suite would run: trials, counts per axis, what is done, time and memory."""
    printed = reserve_stdout() if as_json else sys.stdout
    loaded = [load(text, only, set_, seeds, not no_user_code) for text in suites]

    ledger = Ledger(results)
    warn_damaged(ledger)
    plans = []
    warned: set[str] = set()
    for suite in loaded:
        trials = proposed_trials_of(suite, ledger, to_train=True)
        check_data(suite, trials, lambda line: typer.echo(line, err=True))
        check_metrics(suite, trials)
        # What --measure trains is built anyway.
        checked_trials, unchecked = checked_for_plan(suite, trials, None if measure else MAX_NETWORKS)
        checked = {trial.key for trial in checked_trials}
        done = ledger.done(rule(suite.pruning), suite.max_minutes)
        drawn = standins(trials)
        missing = [*work_plan(trials, done, suite.pruning).trials, *drawn]
        warning = precision_warning(missing, gpus_per_trial)
        if warning and warning not in warned:
            typer.echo(warning, err=True)
            warned.add(warning)
        if measure:
            typer.echo(_measuring_text(n_trial_kinds(missing), MEASURE_SECONDS), err=True)
            costs = from_measured_steps(
                missing, datasets_of(missing, data_dir, data_locations(suite, missing)), max(1, int(cpus_per_trial))
            )
        else:
            costs = from_records(missing, ledger.records())
        slots = slots_of_machine(cpus_per_trial, gpus_per_trial, jobs)
        cost = estimate(missing, costs, slots)
        # The user's own images are not decoded for it, unless they were for the check.
        not_estimated = [
            trial
            for trial in missing
            if costs.get(trial.key) is None and (measure or not trial.is_from_path or trial.key in checked)
        ]
        operations = None
        if not_estimated:
            operations = operation_cost(not_estimated, ledger.records(), slots, cpus_per_trial, gpus_per_trial)
        plan_ = plan_json(suite, trials, missing, done, cost, slots, operations, unchecked, measure)
        confirm = _confirm(suite, [*trials, *drawn], ledger, len(missing))
        plans.append({**plan_, "confirm": confirm, "searches": _searches(trials)})
    if as_json:
        typer.echo(json.dumps(plans[0] if len(plans) == 1 else plans, indent=2), file=printed)
    else:
        typer.echo("\n\n".join(plan_text(plan_) for plan_ in plans))


def plan_json(
    suite: Suite,
    trials: list[Trial],
    missing: list[Trial],
    done: dict[str, Record],
    cost: DurationEstimate,
    slots: int,
    operations: OperationCost | None = None,
    unchecked: int = 0,
    measured: bool = False,
) -> Plan:
    """The plan as JSON: counts per value of each axis and of each setting that varies, per status, and the estimate.

    `operations` are those of trials without an estimate; `unchecked` networks were not yet built for their images;
    `measured` says whether the estimate is from measured steps, else it is from records.
    """
    configs = list({trial.group: trial.config.to_json() for trial in trials}.values())
    # A question about data that a suite does not ask has no line.
    varied = [axis for axis in AXIS_ORDER if axis not in DATA_QUESTIONS or any(axis in config for config in configs)]
    axes: dict[str, dict[str, int]] = {}
    value_labels: dict[int, str] = {}  # components are shared between configurations: label each once
    for config in configs:
        for axis in varied:
            value = config.get(axis, OMITTED_DEFAULTS.get(axis))
            label = value_labels.get(id(value)) or value_labels.setdefault(id(value), axis_label(value, axis))
            axes.setdefault(axis, {})[label] = axes.get(axis, {}).get(label, 0) + 1
    for setting in Settings.model_fields:
        values = [config.get(setting, OMITTED_DEFAULTS.get(setting)) for config in configs]
        if any(value != values[0] for value in values):
            axes[setting] = dict(Counter(map(axis_label, values)))
    statuses = Counter(done[trial.key].status for trial in trials if trial.key in done)
    return {
        "suite": suite.name,
        "title": suite.title,
        "file": str(suite.path),
        "configurations": suite.n_configurations,
        "repeated_configurations": suite.repeated,
        "trials": len(suite),
        "done": dict(statuses),
        "to_run": len(missing),
        "pruning": rule(suite.pruning),
        "brackets": n_brackets(suite, trials),
        **pruning_cost(suite, [*trials, *standins(trials)]),
        "max_minutes": suite.max_minutes,
        "epochs": sum(trial.config.epochs for trial in missing),
        "axes": axes,
        "slots": slots,
        "estimate": {
            "seconds": round(cost.seconds, 1) if cost.known else None,
            "seconds_low": round(cost.low, 1) if cost.known else None,
            "seconds_high": round(cost.high, 1) if cost.known else None,
            "from": "measured steps" if measured else "records",
            "memory_bytes": cost.memory_bytes if cost.known else None,
            "trials_known": cost.known,
            "trials_unknown": cost.unknown,
            "operations": _operations_json(operations) if operations else None,
        },
        "networks_unchecked": unchecked,
        "keys": [trial.key for trial in trials],
    }


def plan_text(plan: Plan) -> str:
    """The plan for people."""

    lines = [
        f"{plan['suite']}: {plan['title']}",
        f"{plural(plan['configurations'], 'configuration')}, {plural(plan['trials'], 'trial')}",
    ]
    if plan["repeated_configurations"]:
        repeated = plan["repeated_configurations"]
        verbs = ("is", "runs") if repeated == 1 else ("are", "run")
        lines.append(f"{plural(repeated, 'configuration')} {verbs[0]} in the file twice and {verbs[1]} once")
    for axis, counts in plan["axes"].items():
        values = [f"{value} ({count:,})" for value, count in list(counts.items())[:8]]
        more = f", ... {len(counts) - 8:,} more" if len(counts) > 8 else ""
        lines.append(f"  {axis:<14} {', '.join(values)}{more}")
    done = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in plan["done"].items())
    to_run = f"{plural(plan['to_run'], 'trial')}, {plural(plan['epochs'], 'epoch')}"
    lines.append(f"in the ledger: {done or 'none'}; to run: {to_run}")
    lines += map(_search_text, plan.get("searches", []))
    if plan["pruning"]:
        lines += pruning_lines(plan)
    if plan.get("confirm"):
        lines.append(_confirm_text(plan["confirm"]))
    if plan["max_minutes"]:
        lines.append(f"max_minutes: a trial ends as timed out after {plan['max_minutes']:g} min of training")
    cost = plan["estimate"]
    if plan["to_run"] and cost["seconds"] is not None:
        lines.append(_estimate_text(cost, plan["slots"]))
    operations = cost["operations"]
    if operations:
        lines.append(_operations_text(operations, plan["slots"]))
    unknown = cost["trials_unknown"] - (operations["trials"] if operations else 0)
    if unknown:
        lines.append(
            f"no estimate for {plural(unknown, 'trial')}: no similar trial has run, and their operations are not yet "
            "counted. Use --measure to time a few steps"
        )
    if plan["networks_unchecked"]:
        networks = plural(plan["networks_unchecked"], "network")
        lines.append(f"{networks} not yet built for these images: `bench run` does that before anything trains")
    return "\n".join(lines)


def _searches(trials: list[Trial]) -> list[Plan]:
    """What each adaptive search is, and how many of its configurations are known."""
    open_searches = to_propose(trials)
    return [
        {
            "id": identity,
            "rule": point.rule.model_dump(mode="json"),
            "parameters": point.rule.parameters_text,
            "asked_for": point.trials,
            "trials": (count := min(point.trials, point.rule.n_configurations or point.trials)),
            "proposed": count - len(numbers),
        }
        for identity, (seeds, numbers) in open_searches.items()
        if (point := seeds[0].search) is not None
    ]


def _search_text(search: Plan) -> str:
    rule, trials = search["rule"], search["trials"]
    startup, batch = rule["startup"], rule["batch"]
    all_there_are = f" (all there are, {search['asked_for']} are asked for)" if trials < search["asked_for"] else ""
    return (
        f"search: {rule['algorithm']} over {search['parameters']}:\n"
        f"  {plural(trials, 'configuration')}{all_there_are}, {startup} at random, then {batch} at a time by "
        f"validation results of those before (first seeds)\n"
        f"  {search['proposed']} known so far; the estimate has the others as random draws"
    )


def _confirm(suite: Suite, trials: list[Trial], ledger: Ledger, n_missing: int) -> Plan | None:
    """The trials with fresh seeds: how many at most, and how many it is once the ledger has all others."""
    if suite.confirm is None:
        return None
    from bench.report.confirmation import most_confirmed

    configs = list({trial.group: trial.config.to_json() for trial in trials}.values())
    plan: Plan = {
        "seeds": suite.confirm,
        "at_most": most_confirmed([len(group) for group in comparable(configs)], suite.confirm),
        "trials": None,
        "to_run": None,
    }
    if n_missing:
        return plan
    fresh, done = confirmation(ledger, trials, suite.confirm, suite.metrics[0]), ledger.done(None, suite.max_minutes)
    return plan | {"trials": len(fresh), "to_run": sum(trial.key not in done for trial in fresh)}


def _confirm_text(confirm: Plan) -> str:
    seeds = plural(confirm["seeds"], "fresh seed")
    text = f"confirm: then what validation selected and its rivals, with {seeds}"
    if confirm["trials"] is None:
        return f"{text}: at most {plural(confirm['at_most'], 'trial')} more"
    return f"{text}: {plural(confirm['trials'], 'trial')}, {confirm['to_run']:,} of them to run"


def _measuring_text(n_kinds: int, seconds: int) -> str:

    together = f", {duration(n_kinds * seconds)} together" if n_kinds > 1 else ""
    return f"measuring {plural(n_kinds, 'kind')} of trial, at most {seconds} s each{together}"


def _estimate_text(cost: Plan, slots: int) -> str:
    """The time with its range, how that was made, and the memory."""

    low, high = duration(cost["seconds_low"]), duration(cost["seconds_high"])
    memory = f"{cost['memory_bytes'] / 2**30:.1f} GiB for the processes that train"
    if low == high:
        return f"about {duration(cost['seconds'])} with {slots} side by side, {memory}"
    ends = "measurements" if cost["from"] == "measured steps" else "similar records"
    return (
        f"about {duration(cost['seconds'])} ({low} to {high}) with {slots} side by side, {memory};\n"
        f"  the range is by the fastest and the slowest {ends} of each kind of trial"
    )


def _operations_json(cost: OperationCost) -> Plan:
    return {
        "trials": cost.trials,
        "pflop": cost.flop / 1e15,
        "seconds": round(cost.seconds, 1),
        "flop_per_second": cost.rate,
        "rate": "measured" if cost.measured else "assumed",
        "gpu_seconds": round(cost.gpu_seconds, 1),
        "gpu_flop_per_second": cost.gpu_rate,
    }


def _operations_text(operations: Plan, slots: int) -> str:

    rate = f"{_rate(operations['flop_per_second'])} each"
    measured = operations["rate"] == "measured"
    rate = f"{rate}, the median of this machine's records" if measured else f"an assumed {rate}"
    return (
        f"for {plural(operations['trials'], 'trial')} no similar trial has run: training takes "
        f"{_pflop(operations['pflop'])} PFLOP (3 x forward x images x epochs),\n"
        f"  about {duration(operations['seconds'])} with {slots} side by side at {rate}, or "
        f"{duration(operations['gpu_seconds'])} on one GPU at an assumed {_rate(operations['gpu_flop_per_second'])}; "
        "--measure times a few steps"
    )


def _pflop(pflop: float) -> str:
    return f"{pflop:,.0f}" if pflop >= 100 else f"{pflop:.3g}"


def _rate(flop_per_second: float) -> str:
    scale, unit = (1e12, "TFLOP/s") if flop_per_second >= 1e12 else (1e9, "GFLOP/s")
    return f"{flop_per_second / scale:.3g} {unit}"
