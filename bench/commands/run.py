"""`bench run`: train what the ledger lacks of a suite, then show its leaderboard."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.data import datasets_of
from bench.commands.options import (
    RESULTS,
    CpusPerTrial,
    DataDir,
    GpusPerTrial,
    Jobs,
    Only,
    Results,
    Seeds,
    Set,
    SuiteArgument,
    as_written,
)
from bench.commands.results import report_of, tell_damaged
from bench.commands.suites import check, load, trials_of


def run(
    suites: SuiteArgument,
    only: Only = None,
    set_: Set = None,
    seeds: Seeds = None,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    jobs: Jobs = None,
    cpus_per_trial: CpusPerTrial = 1,
    gpus_per_trial: GpusPerTrial = None,
    no_ray: Annotated[bool, typer.Option("--no-ray", help="Train in this process, one trial at a time.")] = False,
    checkpoint_after: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, help="Trials that train longer (60 by default) can go on where they were stopped."
        ),
    ] = None,
) -> None:
    """Train what the ledger lacks of a suite, then show its leaderboard."""
    loaded = [(text, load(text, only, set_, seeds)) for text in suites]
    from bench.ledger.ledger import Ledger

    planned = [(text, suite, trials_of(suite)) for text, suite in loaded]
    ledger = Ledger(results)
    for _, suite, trials in planned:
        check(suite, trials)
    # Not before all input is known to be right: Ray takes seconds to import, and data may have to be fetched.
    from rich.console import Console

    from bench.execution.run import run_trials
    from bench.report.terminal import print_terminal

    console = Console()
    datasets = datasets_of([trial for _, _, trials in planned for trial in trials], data_dir)
    failed = False
    tell_damaged(ledger)
    options = as_written(only, set_, seeds)
    for text, suite, trials in planned:
        records = run_trials(
            trials,
            datasets,
            ledger,
            console,
            pruning=suite.pruning,
            suite=suite.name,
            git_commit=git_commit(),
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            jobs=jobs,
            use_ray=not no_ray,
            checkpoint_after=checkpoint_after,
            sampling_seed=suite.sampling_seed,
        )
        if not records:
            console.print(f"{suite.name}: nothing to run, its {len(trials)} trials are in {results}/", highlight=False)
        failed |= any(record.status == "failed" for record in records)
        print_terminal(report_of(ledger, text + options, suite, trials), console, top=12)
        console.print(f"\nThe whole page: bench report {text}{options} --html", highlight=False, style="dim")
    raise typer.Exit(1 if failed else 0)


def git_commit() -> str | None:
    """The commit of a checkout that this package runs from, with + for uncommitted changes."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
