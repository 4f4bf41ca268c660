"""`bench run`: train what the ledger lacks of a suite, then show its leaderboard."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.commands.check_suites import check, check_splits, data_locations
from bench.commands.cluster import make_bundle, read, run_on_cluster, tear_down_cluster
from bench.commands.data import datasets_of
from bench.commands.load_results import report_of, warn_damaged
from bench.commands.load_suites import load, trials_of
from bench.commands.options import (
    RESULTS,
    Address,
    CheckpointAfter,
    ClusterFile,
    CpusPerTrial,
    DataDir,
    GpusPerTrial,
    Jobs,
    NoRay,
    NoUserCode,
    Only,
    Results,
    Retries,
    Seeds,
    Set,
    SuiteArgument,
    Teardown,
    options_text,
    suite_argument,
    terminal,
)
from bench.errors import UserError, plural
from bench.execution.messages import Connection, RunOptions
from bench.execution.pruning import rule
from bench.execution.ray_cluster import check_address
from bench.execution.scheduler import work_plan
from bench.ledger.ledger import Ledger
from bench.ledger.store import is_url, with_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from bench.data import Dataset
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial


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
    cluster: ClusterFile = None,
    teardown: Teardown = False,
    address: Address = None,
) -> None:
    """Train what the ledger lacks of a suite, then show its leaderboard."""
    _check_target(no_ray, cluster, teardown, address)
    suite_options = options_text(only, set_, seeds)
    loaded = [(suite_argument(text, suite_options), load(text, only, set_, seeds, not no_user_code)) for text in suites]

    planned = [(text, suite, trials_of(suite)) for text, suite in loaded]
    ledger = Ledger(results)
    launcher = read(cluster) if cluster else None
    if address:
        check_address(address)
    if not (launcher and is_url(results)) and any(
        is_missing_any(ledger, suite, trials) for _, suite, trials in planned
    ):
        ledger.check_writable()
    for _, suite, trials in planned:
        check(suite, trials)
    options = RunOptions(
        git_commit=git_commit(),
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        jobs=jobs,
        checkpoint_after=checkpoint_after,
        retries=retries,
        use_ray=not no_ray,
        connection=Connection(address) if address else None,
    )
    # Not before all input is known to be right: Ray takes seconds to import, and data may have to be fetched.
    from bench.report.terminal import print_terminal

    console = terminal()
    failed, warned = False, warn_damaged(ledger)
    if launcher:
        bundle = make_bundle(launcher, planned, ledger, options)
        if bundle:
            failed = run_on_cluster(launcher, bundle, ledger, console, data_dir, teardown=teardown)
        elif teardown:
            tear_down_cluster(launcher, console)
    else:
        datasets = load_datasets(planned, data_dir)
    for text, suite, trials in planned:
        if not launcher:
            options = replace(options, suite=suite.name, pruning=suite.pruning, sampling_seed=suite.sampling_seed)
            failed |= _run_suite(suite, trials, datasets, ledger, console, options)
        print_terminal(report_of(ledger, text, suite, trials), console, top=12)
        warned |= warn_damaged(ledger, warned)
        page = with_results(f"bench report {text} --html", results)
        console.print(f"\nThe whole page: {page}", soft_wrap=True, style="dim")
    raise typer.Exit(1 if failed else 0)


def load_datasets(planned: Sequence[tuple[str, Suite, list[Trial]]], data_dir: Path | None) -> dict[str, Dataset]:
    """The data sets of all suites; their splits are checked."""
    own_data: dict[str, str] = {}
    for _, suite, trials in planned:
        own_data |= data_locations(suite, trials)
    datasets = datasets_of([trial for _, _, trials in planned for trial in trials], data_dir, own_data)
    for _, suite, trials in planned:
        check_splits(suite, trials, {text: data.train_labels for text, data in datasets.items()})
    return datasets


def _run_suite(
    suite: Suite,
    trials: list[Trial],
    datasets: dict[str, Dataset],
    ledger: Ledger,
    console: Console,
    options: RunOptions,
) -> bool:
    """Run what is missing of a suite; whether trials failed."""
    from bench.execution.run_trials import run_trials

    records = run_trials(trials, datasets, ledger, console, options)
    if not records:
        are = "is" if len(trials) == 1 else "are"
        console.print(f"{suite.name}: nothing to run, its {plural(len(trials), 'trial')} {are} in {ledger.root}/")
    return any(record.status == "failed" for record in records)


def is_missing_any(ledger: Ledger, suite: Suite, trials: list[Trial]) -> bool:
    """Whether a trial is still to be run, so that the ledger must be written."""

    return bool(work_plan(trials, ledger.done(rule(suite.pruning)), pruned=suite.pruning is not None).trials)


def _check_target(no_ray: bool, cluster: Path | None, teardown: bool, address: str | None) -> None:
    """UserError for more than one machine or cluster to run on."""
    targets = {"--cluster": cluster, "--address": address, "--no-ray": no_ray}
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
