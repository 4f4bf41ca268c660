"""`bench plan`: what a suite would run, and what that would cost."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from bench.commands.data import datasets_of
from bench.commands.load_results import warn_damaged
from bench.commands.load_suites import check_metrics, check_own_data, checked_for_plan, data_places, load, trials_of
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
from bench.streams import reserve_stdout


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
            help="Measure a few steps of each kind of trial, for at most 30 s each unless 32 images take longer.",
        ),
    ] = False,
    no_user_code: NoUserCode = False,
    as_json: AsJson = False,
) -> None:
    """Show what a suite would run: trials, counts per axis, what is done, time and memory."""
    printed = reserve_stdout() if as_json else sys.stdout
    loaded = [load(text, only, set_, seeds, not no_user_code) for text in suites]
    from bench.execution.cost_estimate import (
        FEW_NETWORKS,
        PROBE_SECONDS,
        estimate,
        from_measured_steps,
        from_records,
        operation_cost,
        trial_kinds,
    )
    from bench.execution.run_plan import plan_json, plan_text
    from bench.execution.scheduler import work_plan
    from bench.ledger.ledger import Ledger
    from bench.system import slots

    ledger = Ledger(results)
    warn_damaged(ledger)
    out = []
    for suite in loaded:
        trials = trials_of(suite)
        check_own_data(suite, trials, lambda line: typer.echo(line, err=True))
        check_metrics(suite, trials)
        # What --measure trains is built anyway.
        looked_at, unchecked = checked_for_plan(suite, trials, None if measure else FEW_NETWORKS)
        checked = {trial.key for trial in looked_at}
        done = ledger.done(suite.pruning.model_dump(mode="json") if suite.pruning else None)
        missing = work_plan(trials, done, pruned=suite.pruning is not None).trials
        if measure:
            typer.echo(f"measuring {trial_kinds(missing):,} kinds of trial, at most {PROBE_SECONDS} s each", err=True)
            costs = from_measured_steps(
                missing, datasets_of(missing, data_dir, data_places(suite, missing)), max(1, int(cpus_per_trial))
            )
        else:
            costs = from_records(missing, ledger.records())
        side_by_side = slots(cpus_per_trial, gpus_per_trial, jobs)
        cost = estimate(missing, costs, side_by_side)
        # The user's own images are not decoded for it, unless they were for the check.
        unlike = [
            trial
            for trial in missing
            if costs.get(trial.key) is None and (measure or trial.data_path is None or trial.key in checked)
        ]
        counted = None
        if unlike:
            counted = operation_cost(unlike, ledger.records(), side_by_side, cpus_per_trial, gpus_per_trial)
        out.append(plan_json(suite, trials, missing, done, cost, side_by_side, counted, unchecked))
    if as_json:
        typer.echo(json.dumps(out[0] if len(out) == 1 else out, indent=2), file=printed)
    else:
        typer.echo("\n\n".join(plan_text(one) for one in out))
