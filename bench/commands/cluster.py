"""`bench cluster`: runs on a cluster are looked at, followed, stopped and fetched; and `bench run --cluster` itself."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.options import EPILOG, RESULTS, Results, terminal
from bench.execution.signals import INTERRUPTED, Detached
from bench.ledger.address import with_results

if TYPE_CHECKING:
    from rich.console import Console

    from bench.execution.cluster.bundle import RunBundle
    from bench.execution.cluster.launcher import Launcher
    from bench.ledger.ledger import Ledger
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial

cluster_app = typer.Typer(help="Runs on a cluster: look, follow, stop, fetch.", no_args_is_help=True)
CLUSTER = Path("cluster.yaml")
ClusterFile = Annotated[
    Path, typer.Option("--cluster", help="The cluster's launcher file.", metavar="FILE", envvar="BENCH_CLUSTER")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, as `bench cluster status` lists it.")]


@cluster_app.command("status", epilog=EPILOG)
def status(cluster: ClusterFile = CLUSTER) -> None:
    """Show the cluster's nodes, and the runs on it."""
    from bench.execution.cluster.jobs import run_statuses
    from bench.execution.cluster.launcher import nodes

    launcher = read(cluster)
    with _reached(launcher):
        told = nodes(launcher)
        if told is None:
            start = f"bench run SUITE --cluster {shlex.quote(str(cluster))}"
            typer.echo(f"cluster {launcher.name!r} is not up; `{start}` starts it")
            return
        typer.echo(told.strip())
        runs = run_statuses(launcher)
    typer.echo("\nRuns" if runs else "\nno runs yet")
    for run in runs:
        typer.echo(f"  {run.name}  {run.state}  {run.counts}".rstrip())
        for line in run.reason.splitlines():
            typer.echo(f"      {line.strip()}")


@cluster_app.command("attach", epilog=EPILOG)
def attach(run: RunName, cluster: ClusterFile = CLUSTER, results: Results = RESULTS) -> None:
    """Follow a run again, and bring its records home."""
    from bench.execution.cluster.jobs import shipped
    from bench.ledger.address import is_url
    from bench.ledger.ledger import Ledger

    launcher, console = read(cluster), terminal()
    with _reached(launcher):
        sent = shipped(launcher, run)
    results = sent.results if is_url(sent.results) else results
    ledger = Ledger(results)
    failed = _outcome(_followed(launcher, sent, ledger, console), sent)
    for part in sent.parts:
        report = with_results(f"bench report {part.arguments or part.suite}", results)
        console.print(f"The leaderboard: {report}", soft_wrap=True, style="dim")
    raise typer.Exit(1 if failed else 0)


@cluster_app.command("stop", epilog=EPILOG)
def stop(run: RunName, cluster: ClusterFile = CLUSTER, results: Results = RESULTS) -> None:
    """Stop a run and bring home what it has found; the same `bench run` goes on from there."""
    from bench.execution.cluster import jobs

    launcher = read(cluster)
    with _reached(launcher):
        jobs.shipped(launcher, run)
        jobs.stop(launcher, run)
    typer.echo(f"{run} is stopped")
    _fetch(launcher, run, results)


@cluster_app.command("fetch", epilog=EPILOG)
def fetch(run: RunName, cluster: ClusterFile = CLUSTER, results: Results = RESULTS) -> None:
    """Bring home what a run has found so far; it goes on."""
    launcher = read(cluster)
    _fetch(launcher, run, results)


def shipment(
    launcher: Launcher, planned: list[tuple[str, Suite, list[Trial]]], ledger: Ledger, **options: Any
) -> RunBundle | None:
    """The run that the suites' missing trials make; None where nothing is missing.

    `planned` has each suite as a command line names it; `options` are more fields of a `RunBundle`.
    """
    from bench.execution.cluster.bundle import BundledSuite, RunBundle
    from bench.execution.cluster.jobs import new_name
    from bench.execution.scheduler import work_plan

    parts, known, count = [], set(), 0
    for text, suite, trials in planned:
        done = ledger.done(suite.pruning.model_dump(mode="json") if suite.pruning else None)
        count += work_plan(trials, done, searches=suite.pruning is not None).count
        known |= {trial.key for trial in trials if trial.key in done}
        parts.append(BundledSuite(suite.name, trials, suite.pruning, suite.sampling_seed, text))
    if not count:
        return None
    if options.get("gpus_per_trial") is None and launcher.gpus:
        options["gpus_per_trial"] = 1.0  # there may be no GPU yet when the run starts
    name, results = new_name(planned[0][1].name), str(ledger.root)
    return RunBundle(name, parts, results, sorted(known), launcher.grows, **options)


def run_on_cluster(
    launcher: Launcher, run: RunBundle, ledger: Ledger, console: Console, data_dir: Path | None, *, down: bool
) -> bool:
    """Bring the cluster up, start the run there and follow it to its end; whether some trials failed."""
    from bench.execution.cluster.jobs import submit
    from bench.execution.cluster.launcher import bring_up, tear_down, variables

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    variables(launcher)  # before machines start: one may be missing in this shell
    with _reached(launcher):
        bring_up(launcher, say)
        submit(launcher, run, ledger, say, data_dir)
    over = _followed(launcher, run, ledger, console)
    if down:  # however it ended: machines cost money, and what it found is here
        tear_down(launcher, say, run.name)
    return _outcome(over, run)


def tear_down_cluster(launcher: Launcher, console: Console) -> None:
    """Tear down a cluster that is up though there is nothing to run on it."""
    from bench.execution.cluster.launcher import nodes, tear_down

    with _reached(launcher):
        up = nodes(launcher) is not None
    if up:
        tear_down(launcher, lambda text: console.print(f"nothing to run; {text}", soft_wrap=True))


def _followed(launcher: Launcher, run: RunBundle, ledger: Ledger, console: Console) -> dict[str, Any]:
    """The run's last event; Detached where the watcher leaves before."""
    from bench.execution.cluster.follow import follow

    try:
        console.print(f"following {run.name}; Ctrl-C leaves it running", soft_wrap=True)
        return follow(launcher, run, ledger, console)
    except KeyboardInterrupt:
        options = with_results(f"{run.name} --cluster {shlex.quote(str(launcher.path))}", ledger.root)
        typer.echo(
            f"\nDetached: {run.name} goes on without you.\n"
            f"  come back:      bench cluster attach {options}\n"
            f"  fetch results:  bench cluster fetch {options}\n"
            f"  stop it:        bench cluster stop {options}",
            err=True,
        )
        raise Detached(INTERRUPTED) from None


def _outcome(over: dict[str, Any], run: RunBundle) -> bool:
    from bench.errors import UserError

    if over["outcome"] == "error":
        raise UserError(f"{run.name}: {over['message']}")
    if over["outcome"] == "stopped":
        typer.echo(f"{run.name} was stopped. What ended is in the ledger; the same command goes on from there.")
        raise Detached(INTERRUPTED)
    return bool(over["failed"])


def _fetch(launcher: Launcher, run: str, results: str) -> None:
    from bench.execution.cluster import jobs
    from bench.ledger.address import is_url
    from bench.ledger.ledger import Ledger

    with _reached(launcher), tempfile.TemporaryDirectory(prefix="bench-fetch-") as incoming:
        sent = jobs.shipped(launcher, run)
        if is_url(sent.results):
            typer.echo(f"{run} publishes at {sent.results}: nothing to fetch")
            return
        copied = jobs.fetch(launcher, run, Path(incoming), Ledger(results))
    typer.echo(f"{copied} new entries in {results}")


def read(path: Path) -> Launcher:
    """The launcher file, validated."""
    from bench.execution.cluster.launcher import read_launcher

    return read_launcher(path)


def _reached(launcher: Launcher) -> Any:
    from bench.execution.cluster.head import reached

    return reached(launcher)
