"""`bench run`: train what the ledger lacks of a suite, then show its leaderboard."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.commands.check_suites import check, check_data, check_splits, data_locations
from bench.commands.cluster import make_bundle, read, run_on_cluster, tear_down_cluster
from bench.commands.data import datasets_of
from bench.commands.load_results import confirmation, print_weights, report_of, warn_damaged
from bench.commands.load_suites import load, proposed_trials_of
from bench.commands.options import (
    RESULTS,
    Address,
    CheckpointAfter,
    ClusterFile,
    CpusPerTrial,
    DataDir,
    DryRun,
    Force,
    GpusPerTrial,
    Jobs,
    KeepWeights,
    Log,
    MaxHours,
    NoRay,
    NoUserCode,
    Only,
    Quiet,
    Results,
    Retries,
    RetryAlone,
    Seeds,
    Set,
    SlurmFile,
    SuiteArgument,
    Teardown,
    Verbose,
    options_text,
    suite_argument,
    terminal,
)
from bench.commands.plan import plan
from bench.commands.slurm import read_slurm, run_on_slurm
from bench.errors import UserError, plural
from bench.execution.coordinator import done_for
from bench.execution.messages import Connection, RunOptions
from bench.execution.precision_cost import precision_warning
from bench.execution.progress import confirmation_text, console_progress
from bench.execution.ray_cluster import check_address
from bench.execution.run_trials import run_trials
from bench.execution.scheduler import work_plan
from bench.execution.signals import stop_after
from bench.execution.trackers.tracker import destinations
from bench.jsonutil import canonical
from bench.ledger.ledger import Ledger
from bench.ledger.store import is_url, with_results
from bench.suite.suite import forced_configurations

MAX_HOURS = 24 * 365

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from bench.data import Dataset
    from bench.execution.cluster.launcher import Launcher
    from bench.execution.slurm_settings import SlurmSettings
    from bench.ledger.record import Record
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial

    Planned = tuple[str, Suite, list[Trial]]


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
    no_user_code: NoUserCode = False,
    no_ray: NoRay = False,
    checkpoint_after: CheckpointAfter = RunOptions.checkpoint_after,
    retries: Retries = RunOptions.retries,
    retry_alone: RetryAlone = False,
    force: Force = None,
    max_hours: MaxHours = None,
    log: Log = None,
    cluster: ClusterFile = None,
    keep: KeepWeights = "none",
    slurm: SlurmFile = None,
    teardown: Teardown = False,
    address: Address = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train what the ledger lacks of a suite, then show its leaderboard."""
    if dry_run:
        plan(suites, only, set_, seeds, results, data_dir, jobs, cpus_per_trial, gpus_per_trial, False, no_user_code)
        return
    _check_target(no_ray, cluster, slurm, teardown, address, force, max_hours, log)
    ledger = Ledger(results)
    planned = _planned(suites, only, set_, seeds, not no_user_code, ledger)
    options = RunOptions(
        git_commit=git_commit(),
        max_hours=max_hours,
        forced=_forced(planned, force or []),
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        jobs=jobs,
        checkpoint_after=checkpoint_after,
        retries=retries,
        retry_alone=retry_alone,
        use_ray=not no_ray,
        connection=Connection(address) if address else None,
        trackers=destinations(log or [], ledger.store.local),
        keep=keep,
    )
    launcher = read(cluster) if cluster else None
    slurm_settings = read_slurm(slurm) if slurm else None
    if address:
        check_address(address)
    _check_all(planned, ledger, options, launcher is not None, bool(launcher or slurm_settings))
    if not (launcher or slurm_settings):
        unfinished = [trial for plan in planned if is_missing_any(ledger, plan, options) for trial in plan[2]]
        if line := precision_warning(unfinished, gpus_per_trial):
            typer.echo(line, err=True)
    # Not before all input is known to be right: Ray takes seconds to import, and data may have to be fetched.
    console = terminal(quiet)
    failed, warned = False, warn_damaged(ledger)
    if not launcher:
        datasets = load_datasets(planned, data_dir)
    if launcher or slurm_settings:
        failed = _run_elsewhere(launcher, slurm_settings, planned, ledger, options, console, data_dir, teardown)
    with stop_after(None if launcher else max_hours):
        for text, suite, trials in planned:
            if not (launcher or slurm_settings):
                failed |= _run_suite(suite, trials, datasets, ledger, console, options, verbose)
            trials = proposed_trials_of(suite, ledger)
            if launcher or slurm_settings:
                _print_unconfirmed(suite, trials, ledger, console, options)
            failed |= print_weights(text, trials, ledger, console, options_of(suite, options))
            _print_leaderboard(text, suite, trials, ledger, console)
            warned |= warn_damaged(ledger, warned)
    raise typer.Exit(1 if failed else 0)


def _check_all(
    planned: list[Planned], ledger: Ledger, options: RunOptions, on_head: bool, elsewhere: bool = False
) -> None:
    """UserError for what is wrong with the suites, or a ledger that trials could not be written to."""
    if not (on_head and is_url(str(ledger.root))) and any(is_missing_any(ledger, plan, options) for plan in planned):
        ledger.check_writable()
    for _, suite, trials in planned:
        if options.keep == "best":
            check_validated(suite)
        if options.keep != "none" and elsewhere and any(search.rule.is_adaptive for search in suite.searches):
            raise UserError(
                f"--keep {options.keep}: with --cluster or --slurm the weights of an adaptive search are not kept\n"
                "  run the suite first, then train the best again: bench run SUITE --keep best --force AXIS=VALUE"
            )
        check(suite, trials)
        if on_head:  # which loads data there
            check_data(suite, trials, lambda line: typer.echo(line, err=True))


def _print_leaderboard(text: str, suite: Suite, trials: list[Trial], ledger: Ledger, console: Console) -> None:
    from bench.report.terminal import print_terminal

    print_terminal(report_of(ledger, text, suite, trials), console, top=12)
    page = with_results(f"bench report {text} --html", ledger.root)
    console.print(f"\nThe whole page: {page}", soft_wrap=True, style="dim")


def _run_elsewhere(
    launcher: Launcher | None,
    slurm_settings: SlurmSettings | None,
    planned: list[Planned],
    ledger: Ledger,
    options: RunOptions,
    console: Console,
    data_dir: Path | None,
    teardown: bool,
) -> bool:
    """Run what is missing on a cluster or by SLURM; whether trials failed."""
    bundle = make_bundle(launcher, planned, ledger, options)
    if bundle and launcher:
        return run_on_cluster(launcher, bundle, ledger, console, data_dir, teardown=teardown)
    if bundle and slurm_settings:
        return run_on_slurm(slurm_settings, bundle, ledger, console, data_dir)
    if launcher and teardown:
        tear_down_cluster(launcher, console)
    return False


def _planned(
    suites: list[str],
    only: list[str] | None,
    set_: list[str] | None,
    seeds: int | None,
    user_code: bool,
    ledger: Ledger,
) -> list[Planned]:
    """Each suite with its name on the command line and its trials."""
    suite_options = options_text(only, set_, seeds)
    loaded = [(suite_argument(text, suite_options), load(text, only, set_, seeds, user_code)) for text in suites]
    return [(text, suite, proposed_trials_of(suite, ledger, to_train=True)) for text, suite in loaded]


def _forced(planned: list[Planned], force: list[str]) -> tuple[str, ...]:
    """The keys of the trials that `--force` trains anew."""
    if not force:
        return ()

    keys: list[str] = []
    for _, suite, trials in planned:
        configurations = {trial.group: trial.config.to_json() for trial in trials}
        configs = {canonical(c) for c in forced_configurations(list(configurations.values()), force, suite.path)}
        keys += [trial.key for trial in trials if canonical(configurations[trial.group]) in configs]
    return tuple(keys)


def check_validated(suite: Suite) -> None:
    """UserError where nothing selects the best configuration."""
    if any(config.get("validation") == "none" for config, _ in suite.configurations):
        raise UserError(
            f"--keep best: validation selects the best configuration, and {suite.name} has `validation: none`\n"
            "  save the weights of all with --keep all, or give the suite a validation part"
        )


def load_datasets(planned: Sequence[Planned], data_dir: Path | None) -> dict[str, Dataset]:
    """The data sets of all suites; their splits are checked."""
    own_data: dict[str, str] = {}
    for _, suite, trials in planned:
        own_data |= data_locations(suite, trials)
    datasets = datasets_of([trial for _, _, trials in planned for trial in trials], data_dir, own_data)
    for _, suite, trials in planned:
        check_splits(suite, trials, {text: data.labels for text, data in datasets.items()})
    return datasets


def _run_suite(
    suite: Suite,
    trials: list[Trial],
    datasets: dict[str, Dataset],
    ledger: Ledger,
    console: Console,
    options: RunOptions,
    verbose: bool,
) -> bool:
    """Run what is missing of a suite; whether trials failed."""

    options = options_of(suite, options)
    records = run_trials(trials, datasets, ledger, console, options, console_progress(console, verbose))
    trials = proposed_trials_of(suite, ledger)
    records += run_confirmation(suite, trials, datasets, ledger, console, options, verbose)
    if not records:
        are = "is" if len(trials) == 1 else "are"
        console.print(f"{suite.name}: nothing to run, its {plural(len(trials), 'trial')} {are} in {ledger.root}/")
    return any(record.status == "failed" for record in records)


def run_confirmation(
    suite: Suite,
    trials: list[Trial],
    datasets: dict[str, Dataset],
    ledger: Ledger,
    console: Console,
    options: RunOptions,
    verbose: bool = False,
) -> list[Record]:
    """Train what validation selected and its rivals with fresh seeds, where the suite asks for it."""

    fresh = confirmation(ledger, trials, suite.confirm, suite.metrics[0])
    if not fresh:
        return []
    console.print(confirmation_text(fresh), highlight=False, soft_wrap=True)
    options = replace(options, pruning=None, keep="none", forced=())
    return run_trials(fresh, datasets, ledger, console, options, console_progress(console, verbose))


def _print_unconfirmed(
    suite: Suite, trials: list[Trial], ledger: Ledger, console: Console, options: RunOptions
) -> None:
    """Say that fresh seeds are still to be trained: of a run that was stopped, or whose trials failed."""

    done = done_for(ledger, options_of(suite, options))
    fresh = confirmation(ledger, trials, suite.confirm, suite.metrics[0])
    if any(trial.key not in done for trial in fresh):
        console.print(f"{suite.name}: `confirm`: the same command again trains the fresh seeds")


def options_of(suite: Suite, options: RunOptions) -> RunOptions:
    return replace(
        options,
        suite=suite.name,
        pruning=suite.pruning,
        sampling_seed=suite.sampling_seed,
        max_minutes=suite.max_minutes,
        rank_by=suite.metrics[0],
    )


def is_missing_any(ledger: Ledger, planned: Planned, options: RunOptions) -> bool:
    """Whether a trial is still to be run, so that the ledger must be written."""

    _, suite, trials = planned
    done = done_for(ledger, options_of(suite, options))
    return bool(work_plan(trials, done, suite.pruning).trials)


def _check_target(
    no_ray: bool,
    cluster: Path | None,
    slurm: Path | None,
    teardown: bool,
    address: str | None,
    force: list[str] | None,
    max_hours: float | None,
    log: list[str] | None,
) -> None:
    """UserError for more than one machine or cluster to run on, and for options that do not go with it."""
    if max_hours is not None and not 0 < max_hours < MAX_HOURS:
        raise UserError(f"--max-hours {max_hours:g}: give a number of hours above 0, such as 1.5")
    if force and cluster:
        raise UserError(
            "--force and --cluster: records come home by copying, which replaces none\n"
            "  run on one of the cluster's nodes with --address, or into a new ledger with --results"
        )
    if slurm and log:
        raise UserError("--slurm and --log: `bench export SUITE --log ...` brings the trials to trackers afterwards")
    if slurm and (force or max_hours):
        option = "--force" if force else "--max-hours"
        raise UserError(
            f"{option} and --slurm: each task of the array would follow it by itself\n"
            "  `time` in the SLURM file limits a task; --force runs on one node"
        )
    targets = {"--cluster": cluster, "--slurm": slurm, "--address": address, "--no-ray": no_ray}
    used = [name for name, value in targets.items() if value]
    if len(used) > 1:
        raise UserError(f"{' and '.join(used)}: a run takes one of them, or none for this machine")
    if teardown and not cluster:
        raise UserError("--teardown tears a cluster down: it goes with --cluster FILE")


def git_commit(file: Path = Path(__file__)) -> str | None:
    """The commit of the repository that holds bench's own files, such as `file`; + stands for uncommitted changes.

    A bench that is installed below another repository, in its `.venv` for one, has no commit.
    """

    def git(*words: str) -> str:
        process = subprocess.run(["git", *words], cwd=file.parent, capture_output=True, timeout=5, check=True)
        return process.stdout.decode(errors="replace").strip()

    try:
        git("ls-files", "--error-unmatch", file.name)  # a repository that holds this very file
        return git("describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*") or None
    except (OSError, subprocess.SubprocessError):
        return None
