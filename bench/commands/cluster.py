"""`bench cluster`: status, following, stopping and fetching of runs on a cluster; and `bench run --cluster` itself."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.load_results import confirmation, print_weights
from bench.commands.options import EPILOG, RESULTS, Results, terminal
from bench.errors import UserError
from bench.execution.cluster import jobs
from bench.execution.cluster.bundle import BundledSuite, RunBundle
from bench.execution.cluster.cluster_state import cluster_status, start_cluster, tear_down
from bench.execution.cluster.follow import follow
from bench.execution.cluster.head import connection_errors
from bench.execution.cluster.jobs import new_name, read_bundle, run_statuses, submit
from bench.execution.cluster.launcher import read_launcher, variables
from bench.execution.pruning import rule
from bench.execution.scheduler import work_plan
from bench.execution.signals import INTERRUPTED, TIME_IS_UP, Detached
from bench.ledger.ledger import Ledger
from bench.ledger.store import is_url, with_results

if TYPE_CHECKING:
    from rich.console import Console

    from bench.execution.cluster.bundle import RunBundle
    from bench.execution.cluster.events import Event
    from bench.execution.cluster.launcher import Launcher
    from bench.execution.messages import RunOptions
    from bench.ledger.ledger import Ledger
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial

cluster_app = typer.Typer(
    help="Runs on a cluster: look, follow, stop, fetch.", add_completion=False, no_args_is_help=True
)
CLUSTER = Path("cluster.yaml")
ClusterFile = Annotated[
    Path, typer.Option("--cluster", help="The cluster's launcher file.", metavar="FILE", envvar="BENCH_CLUSTER")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, as `bench cluster status` lists it.")]


@cluster_app.command("status", epilog=EPILOG)
def status(cluster: ClusterFile = CLUSTER) -> None:
    """Show the cluster's nodes, and the runs on it."""

    launcher = read(cluster)
    with _connection_errors(launcher):
        nodes = cluster_status(launcher)
        if nodes is None:
            start = f"bench run SUITE --cluster {shlex.quote(str(cluster))}"
            typer.echo(f"cluster {launcher.name!r} is not up; `{start}` starts it")
            return
        typer.echo(nodes.strip())
        runs = run_statuses(launcher)
    typer.echo("\nRuns" if runs else "\nno runs yet")
    for run in runs:
        typer.echo(f"  {run.name}  {run.state}  {run.counts}".rstrip())
        for line in run.reason.splitlines():
            typer.echo(f"      {line.strip()}")


@cluster_app.command("attach", epilog=EPILOG)
def attach(run: RunName, cluster: ClusterFile = CLUSTER, results: Results = RESULTS) -> None:
    """Follow a run again, and fetch its records."""

    launcher, console = read(cluster), terminal()
    with _connection_errors(launcher):
        bundle = read_bundle(launcher, run)
    results = bundle.results if is_url(bundle.results) else results
    ledger = Ledger(results)
    has_failures = _outcome(_follow(launcher, bundle, ledger, console), bundle)
    for suite in bundle.suites:
        text = suite.arguments or suite.suite
        has_failures |= print_weights(text, suite.trials_so_far(ledger), ledger, console, suite.options(bundle.options))
        report = with_results(f"bench report {text}", results)
        console.print(f"The leaderboard: {report}", soft_wrap=True, style="dim")
    raise typer.Exit(1 if has_failures else 0)


@cluster_app.command("stop", epilog=EPILOG)
def stop(run: RunName, cluster: ClusterFile = CLUSTER, results: Results = RESULTS) -> None:
    """Stop a run and fetch its records; the same `bench run` goes on from there."""

    launcher = read(cluster)
    with _connection_errors(launcher):
        jobs.read_bundle(launcher, run)
        jobs.stop(launcher, run)
    typer.echo(f"{run} is stopped")
    _fetch(launcher, run, results)


@cluster_app.command("fetch", epilog=EPILOG)
def fetch(run: RunName, cluster: ClusterFile = CLUSTER, results: Results = RESULTS) -> None:
    """Fetch the records of a run so far; the run goes on."""
    _fetch(read(cluster), run, results)


def make_bundle(
    launcher: Launcher | None, planned: list[tuple[str, Suite, list[Trial]]], ledger: Ledger, options: RunOptions
) -> RunBundle | None:
    """The run of the suites' missing trials; None where nothing is missing.

    `planned` has each suite with its name on the command line. Without a launcher the run is for SLURM.
    """

    suites: list[BundledSuite] = []
    known: set[str] = set()
    count = 0
    for text, suite, trials in planned:
        done = ledger.done(rule(suite.pruning), suite.max_minutes)
        fresh = confirmation(ledger, trials, suite.confirm, suite.metrics[0])
        missing = work_plan(trials, done, suite.pruning).trials
        count += len(missing or [trial for trial in fresh if trial.key not in done])
        known |= {trial.key for trial in [*trials, *fresh] if trial.key in done}
        suites.append(
            BundledSuite(
                suite.name,
                trials,
                suite.pruning,
                suite.sampling_seed,
                text,
                suite.max_minutes,
                rank_by=suite.metrics[0],
                confirm=suite.confirm,
            )
        )
    if not count:
        return None
    if launcher and options.gpus_per_trial is None and launcher.gpus:
        options = replace(options, gpus_per_trial=1.0)  # no node with a GPU may be up when the run starts
    bundle = RunBundle(new_name(planned[0][1].name), suites, str(ledger.root), options, sorted(known))
    if launcher:
        settings = launcher.settings
        if settings.idle_head_minutes and not is_url(bundle.results):
            raise UserError(
                f"{launcher.path}: metadata.bench.idle_head_minutes: this run's records would go with the head's disk\n"
                "  give --results a URL, such as s3://BUCKET/results, or remove the setting"
            )
        bundle = replace(
            bundle,
            autoscaling=launcher.autoscaling,
            fallback=settings.fallback,
            idle_head_minutes=settings.idle_head_minutes,
        )
    return bundle


def run_on_cluster(
    launcher: Launcher, bundle: RunBundle, ledger: Ledger, console: Console, data_dir: Path | None, *, teardown: bool
) -> bool:
    """Start the cluster if it is not up, start the run there and follow it to its end; whether trials failed."""

    def echo(text: str) -> None:
        console.print(text, soft_wrap=True)

    variables(launcher)  # before machines start: one may be missing in this shell
    with _connection_errors(launcher):
        start_cluster(launcher, echo)
        submit(launcher, bundle, ledger, echo, data_dir)
    last_event = _follow(launcher, bundle, ledger, console)
    if not teardown and launcher.provider != "local" and not bundle.idle_head_minutes:
        down = f"ray down {shlex.quote(str(launcher.path))}"
        echo(f"cluster {launcher.name!r} stays up for the next run, and its head costs money: `{down}` gives it back")
    if teardown:  # however it ended: machines cost money, and its records are fetched
        tear_down(launcher, echo, bundle.name)
    return _outcome(last_event, bundle)


def tear_down_cluster(launcher: Launcher, console: Console) -> None:
    """Tear down a cluster that is up though there is nothing to run on it."""

    with _connection_errors(launcher):
        is_up = cluster_status(launcher) is not None
    if is_up:
        tear_down(launcher, lambda text: console.print(f"nothing to run; {text}", soft_wrap=True))


def _follow(launcher: Launcher, bundle: RunBundle, ledger: Ledger, console: Console) -> Event:
    """The run's last event; Detached where the user leaves before."""

    try:
        console.print(f"following {bundle.name}; Ctrl-C leaves it running", soft_wrap=True)
        return follow(launcher, bundle, ledger, console)
    except KeyboardInterrupt:
        options = with_results(f"{bundle.name} --cluster {shlex.quote(str(launcher.path))}", ledger.root)
        typer.echo(
            f"\nDetached: {bundle.name} goes on without you.\n"
            f"  come back:      bench cluster attach {options}\n"
            f"  fetch results:  bench cluster fetch {options}\n"
            f"  stop it:        bench cluster stop {options}",
            err=True,
        )
        raise Detached(INTERRUPTED) from None


def _outcome(last_event: Event, bundle: RunBundle) -> bool:
    """Whether trials of a run failed; Detached where it was stopped, UserError where it could not go on."""
    if last_event["outcome"] == "error":
        raise UserError(f"{bundle.name}: {last_event['message']}")
    if last_event["outcome"] == "stopped" and last_event.get("time_is_up"):
        typer.echo(f"{bundle.name}: --max-hours is over. What ended is in the ledger; the same command goes on.")
        raise Detached(TIME_IS_UP)
    if last_event["outcome"] == "stopped":
        typer.echo(f"{bundle.name} was stopped. What ended is in the ledger; the same command goes on from there.")
        raise Detached(INTERRUPTED)
    return bool(last_event["failed"])


def _fetch(launcher: Launcher, run: str, results: str) -> None:

    with _connection_errors(launcher), tempfile.TemporaryDirectory(prefix="bench-fetch-") as incoming:
        bundle = jobs.read_bundle(launcher, run)
        if is_url(bundle.results):
            typer.echo(f"{run} publishes at {bundle.results}: nothing to fetch")
            return
        copied = jobs.fetch(launcher, run, Path(incoming), Ledger(results))
    typer.echo(f"{copied} new entries in {results}")


def read(path: Path) -> Launcher:
    """The launcher file, validated."""

    return read_launcher(path)


def _connection_errors(launcher: Launcher) -> Any:

    return connection_errors(launcher)
