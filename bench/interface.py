"""The Python interface beside the frames: a suite is read, run and reported from a notebook or a script."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bench.commands.check_suites import check
from bench.commands.load_results import report_of, report_of_all
from bench.commands.load_suites import completed, proposed_trials_of
from bench.commands.load_suites import load as load_suite_argument
from bench.commands.options import suite_argument, terminal
from bench.commands.run import (
    check_validated,
    git_commit,
    is_missing_any,
    load_datasets,
    options_of,
    run_confirmation,
)
from bench.errors import UserError, flow
from bench.execution.messages import Keep, RunOptions
from bench.execution.progress import console_progress
from bench.execution.signals import stop_on_signals
from bench.execution.trackers.tracker import destinations
from bench.frames import Results, load
from bench.ledger.ledger import Ledger
from bench.ledger.store import RESULTS
from bench.suite.suite import Suite

if TYPE_CHECKING:
    from bench.report.view import ReportView
    from bench.suite.trial import Trial


LEAST: dict[str, tuple[int, type[Integral] | type[Real]]] = {
    "jobs": (1, Integral),
    "cpus_per_trial": (1, Real),
    "gpus_per_trial": (0, Real),
    "retries": (0, Integral),
    "checkpoint_after": (0, Real),
}
"""The numbers that `run` takes: the least, as on the command line, and whether they are whole."""


def load_suite(
    path: str | Path, only: Sequence[str] = (), set: Mapping[str, Any] | Sequence[str] = (), seeds: int | None = None
) -> Suite:
    """A suite file, checked and expanded as `bench plan` does it; nothing is trained.

    Parameters
    ----------
    path
        A suite file, or the name of a suite that comes with bench (``"quick"``).
    only
        Keep the configurations that match every pattern, as `--only`: ``["model=vgg*"]``.
    set
        Change axes, parameters or settings, as `--set`: ``["epochs=2"]`` or ``{"epochs": 2}``.
    seeds
        Run this many seeds instead of the file's.

    Raises
    ------
    UserError
        What is wrong with the file, with file, line and key path, or with an option.

    Examples
    --------
    >>> load_suite("quick", only=["model=mlp"], seeds=1)
    Suite('quick', 4 configurations, 4 trials)
    """
    options = [f"{key}={flow(value)}" for key, value in set.items()] if isinstance(set, Mapping) else _listed(set)
    return load_suite_argument(os.fspath(path), _listed(only), options, seeds)


def run(
    suite: Suite | Mapping[str, Any] | str | Path,
    results: str | Path | Results = RESULTS,
    *,
    jobs: int | None = None,
    cpus_per_trial: float = RunOptions.cpus_per_trial,
    gpus_per_trial: float | None = None,
    use_ray: bool = True,
    retries: int = RunOptions.retries,
    retry_alone: bool = False,
    checkpoint_after: float = RunOptions.checkpoint_after,
    data_dir: str | Path | None = None,
    log: Sequence[str] = (),
    progress: bool = True,
    keep: Keep = "none",
) -> Results:
    """Train what a ledger lacks of a suite; its results as frames.

    It may be called any number of times in a process. Where Ray runs already (`ray.init` was called), trials run on
    that Ray, which stays up; otherwise one is started and ended. KeyboardInterrupt, as by a notebook's stop button,
    loses only the trials under way: the same call goes on with what is missing.

    Parameters
    ----------
    suite
        From `load_suite` or `Suite.from_dict`; or what these take.
    results
        The ledger: a folder or URL, made where it is missing; or the results of an earlier call.
    jobs, cpus_per_trial, gpus_per_trial, retries, retry_alone, checkpoint_after
        As `--jobs`, `--cpus-per-trial` and so on of `bench run`.
    use_ray
        False trains in this process, one trial at a time, as `--no-ray`.
    data_dir
        Look here for data first, as `--data-dir`.
    log
        Trackers, as `--log`: ``["mlflow=http://HOST:5000"]``.
    progress
        Show the run while it goes on: a table in a notebook's cell or a terminal, lines elsewhere.
    keep
        Whose weights to save, as `--keep`: ``"none"``, ``"best"`` or ``"all"``; `bench.load_model` loads them.

    Returns
    -------
    Results
        Of the suite's trials, those that were in the ledger among them. A failed trial is a row with its status.

    Raises
    ------
    UserError
        Wrong input, before anything is trained; the message is that of the command line.

    Examples
    --------
    >>> results = run("quick", "results/", jobs=2)  # doctest: +SKIP
    >>> results.trials.groupby("label")["test_accuracy"].mean()  # doctest: +SKIP
    """
    read = _suite_of(suite)
    ledger = Ledger(results.ledger.root if isinstance(results, Results) else results)
    trials = proposed_trials_of(read, ledger, to_train=True)
    options = RunOptions(
        git_commit=git_commit(),
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        jobs=jobs,
        checkpoint_after=checkpoint_after,
        retries=retries,
        retry_alone=retry_alone,
        use_ray=use_ray,
        trackers=destinations(_listed(log), ledger.store.local),
        keep=keep,
    )
    _check_options(options)
    _train_missing(read, trials, ledger, options_of(read, options), Path(data_dir) if data_dir else None, progress)
    return Results(ledger, read, proposed_trials_of(read, ledger))


def _train_missing(
    suite: Suite, trials: list[Trial], ledger: Ledger, options: RunOptions, data_dir: Path | None, progress: bool
) -> None:
    """Check everything, then train what the ledger lacks and drop weights that are not to be kept."""
    planned = suite.name, suite, trials
    if is_missing_any(ledger, planned, options):
        ledger.check_writable()
    if options.keep == "best":
        check_validated(suite)
    check(suite, trials)
    datasets = load_datasets([planned], data_dir)
    from bench.execution.keep_weights import settle
    from bench.execution.run_trials import run_trials

    console = terminal()
    console.quiet = not progress
    with stop_on_signals():
        run_trials(trials, datasets, ledger, console, options, console_progress(console))
        trials = proposed_trials_of(suite, ledger)
        run_confirmation(suite, trials, datasets, ledger, console, options)
        settle(trials, ledger, options)


def report(
    results: Results | str | Path = RESULTS,
    suite: Suite | Mapping[str, Any] | str | Path | None = None,
    details: Sequence[str] = (),
) -> ReportView:
    """The report of a ledger or of a run, to be displayed (`.show()`) or saved (`.save("page.html")`).

    Parameters
    ----------
    results
        What `run` or `load` returned, or a ledger's folder or URL.
    suite
        Only this suite's trials, with its title, metrics and references; that of a run by default.
    details
        Configurations to show class by class, too, as `--details`: part of a label, with wildcards, or of a key.

    Raises
    ------
    UserError
        There is no such ledger, the suite is wrong, or `details` names no configuration.

    Examples
    --------
    >>> bench.report("results/", suite="quick").show()  # doctest: +SKIP
    """
    from bench.report.view import ReportView

    details = _listed(details)
    loaded = results if isinstance(results, Results) else load(results)
    chosen = _suite_of(suite) if suite is not None else loaded.suite
    loaded.ledger.refresh()
    if chosen is None:
        return ReportView(report_of_all(loaded.ledger, details, with_ensembles=True))
    planned = list(loaded.planned) if suite is None else proposed_trials_of(chosen, loaded.ledger)
    text = suite_argument(str(chosen.path), "")
    return ReportView(report_of(loaded.ledger, text, chosen, planned, details, with_ensembles=True))


def _check_options(options: RunOptions) -> None:
    """UserError for what the command line does not take either."""
    for name, (least, kind) in LEAST.items():
        value = getattr(options, name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, kind) or not float(value) >= least:
            number = "a whole number" if kind is Integral else "a number"
            raise UserError(f"{name} is {value!r}; expected {number} of at least {least}")
    if options.keep not in get_args(Keep):
        raise UserError(f"keep is {options.keep!r}; expected one of {', '.join(get_args(Keep))}")


def _listed(texts: str | Sequence[str]) -> list[str]:
    """A list of texts, where one may be given by itself."""
    return [texts] if isinstance(texts, str) else list(texts)


def _suite_of(suite: Suite | Mapping[str, Any] | str | Path) -> Suite:
    if isinstance(suite, Suite):
        return completed(suite)
    if isinstance(suite, Mapping):
        return completed(Suite.from_dict(suite))
    if isinstance(suite, str | Path):
        return load_suite(suite)
    raise UserError(
        f"the suite is a {type(suite).__name__}; expected a path, a mapping, or what bench.load_suite and "
        "bench.Suite.from_dict return"
    )


__all__ = ["load", "load_suite", "report", "run"]
