"""`bench slurm`: status, following and stopping of runs on SLURM; and `bench run --slurm` itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.load_results import print_weights
from bench.commands.options import EPILOG, RESULTS, Results, terminal
from bench.errors import plural
from bench.execution import slurm_array
from bench.execution.cluster.bundle import unpack
from bench.execution.signals import INTERRUPTED, Detached
from bench.execution.slurm_array import check_slurm
from bench.execution.slurm_settings import read_settings
from bench.ledger.ledger import Ledger
from bench.ledger.store import with_results

if TYPE_CHECKING:
    from rich.console import Console

    from bench.execution.cluster.bundle import RunBundle
    from bench.execution.slurm_array import SlurmRun
    from bench.execution.slurm_settings import SlurmSettings
    from bench.ledger.ledger import Ledger

slurm_app = typer.Typer(help="Runs on SLURM: look, follow, stop.", add_completion=False, no_args_is_help=True)
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, as `bench slurm status` lists it.")]
Folder = Annotated[
    Path | None, typer.Option("--folder", help="The SLURM file's `folder`, if it has one.", metavar="DIR")
]


@slurm_app.command("status", epilog=EPILOG)
def status(results: Results = RESULTS, folder: Folder = None) -> None:
    """List the runs on a ledger: SLURM's states of their tasks, and how far they are."""

    slurm_array.check_slurm()
    runs = slurm_array.runs(results, folder)
    ledger = Ledger(results)
    if not runs:
        typer.echo(f"no runs on {results} yet; `bench run SUITE --slurm FILE` submits one")
    for run in runs:
        states = slurm_array.task_states(run)
        bundle = unpack(run.folder, with_code=False)
        left = len(slurm_array.trials_left(run, bundle, ledger))
        total = len(slurm_array.trial_keys(run, bundle, ledger))
        active = [f"{task}: {state.lower()}" for task, state in states.items() if slurm_array.is_active({task: state})]
        tasks = plural(len(run.tasks), "task")
        typer.echo(f"{run.name}  job {run.job}, {tasks}  {total - left} of {plural(total, 'trial')} done")
        typer.echo(f"    {', '.join(active) or 'all tasks have ended'}")
        for reason in slurm_array.reasons(run) if left else []:
            typer.echo("    " + reason.replace("\n", "\n    "))


@slurm_app.command("attach", epilog=EPILOG)
def attach(run: RunName, results: Results = RESULTS, folder: Folder = None) -> None:
    """Follow a run again."""

    slurm_array.check_slurm()
    submitted, ledger, console = slurm_array.find_run(run, results, folder), Ledger(results), terminal()
    failed = follow_run(submitted, ledger, console)
    bundle = unpack(submitted.folder, with_code=False)
    for suite in bundle.suites:
        text = suite.arguments or suite.suite
        failed |= print_weights(text, suite.trials_so_far(ledger), ledger, console, suite.options(bundle.options))
    raise typer.Exit(1 if failed else 0)


@slurm_app.command("stop", epilog=EPILOG)
def stop(run: RunName, results: Results = RESULTS, folder: Folder = None) -> None:
    """Stop a run; the same `bench run` goes on from there."""

    slurm_array.check_slurm()
    slurm_array.stop(slurm_array.find_run(run, results, folder))
    typer.echo(f"{run} is stopped")


def read_slurm(path: Path) -> SlurmSettings:
    """The SLURM file, validated; SLURM's commands are here."""

    settings = read_settings(path)
    check_slurm()
    return settings


def run_on_slurm(
    settings: SlurmSettings, bundle: RunBundle, ledger: Ledger, console: Console, data_dir: Path | None
) -> bool:
    """Submit a run and follow it to its end; whether trials failed."""

    return follow_run(slurm_array.submit(settings, bundle, data_dir, console), ledger, console)


def follow_run(run: SlurmRun, ledger: Ledger, console: Console) -> bool:
    """Follow a run to its end; whether trials failed. Detached where the user leaves, or trials are missing."""

    try:
        console.print(f"following {run.name}; Ctrl-C leaves it running", soft_wrap=True)
        failed = slurm_array.follow(run, ledger, console)
    except KeyboardInterrupt:
        options = with_results(run.name, ledger.root)
        if not slurm_array.is_default_folder(run.folder.parent, ledger.root):
            options += f" --folder {shlex.quote(str(run.folder.parent))}"
        typer.echo(
            f"\nDetached: {run.name} goes on without you.\n"
            f"  come back:  bench slurm attach {options}\n"
            f"  stop it:    bench slurm stop {options}",
            err=True,
        )
        raise Detached(INTERRUPTED) from None
    if failed is None:
        logs = f"{run.folder}/{slurm_array.TASKS}/*/{slurm_array.LOG}"
        typer.echo(f"{run.name} ended before all its trials had; {logs} say why. The same command goes on from there.")
        for reason in slurm_array.reasons(run):
            typer.echo(f"  {reason}")
        raise Detached(1)
    return bool(failed)
