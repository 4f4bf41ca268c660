"""`bench verify`: do entries of others hold what they state, and what of that cannot be checked?"""

from __future__ import annotations

import json
import random
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.data import datasets_of
from bench.commands.load_results import existing
from bench.commands.options import AsJson, DataDir, NoUserCode, write
from bench.components import is_user_defined
from bench.components.datasets import FROM_PATH
from bench.data import load
from bench.errors import UserError, escaped_line, plural
from bench.execution.rerun import rebuild_trial, train
from bench.jsonutil import JsonObject, canonical
from bench.ledger.ledger import FINISHED
from bench.ledger.record import is_external
from bench.streams import reserve_stdout
from bench.suite.trial import data_path
from bench.system import processor_name
from bench.verification.check_entry import check_entry, submitters_component
from bench.verification.submissions import Copies, read_submissions

if TYPE_CHECKING:
    from bench.data.dataset import Dataset
    from bench.report.compare.reproduction import Reproduction
    from bench.verification.check_entry import EntryCheck


def verify(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Entries' .npz files, ledgers, files of `bench pack`, or a folder with any of them.",
            metavar="ENTRY...",
        ),
    ],
    against: Annotated[
        str | None,
        typer.Option("--against", help="The leaderboard's ledger, to notice copies of its results.", metavar="LEDGER"),
    ] = None,
    repeat: Annotated[
        int, typer.Option("--repeat", min=0, help="Train N trials again, drawn at random.", metavar="N")
    ] = 0,
    sample_seed: Annotated[
        int | None, typer.Option("--sample-seed", min=0, help="Draw these trials again; a new draw without.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            exists=True,
            file_okay=False,
            help="The suite file's folder: imports the submitter's own components and data from there.",
            metavar="DIR",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--write", help="Add what was verified to this file, for `bench publish`.", metavar="FILE"),
    ] = None,
    data_dir: DataDir = None,
    no_user_code: NoUserCode = False,
    as_json: AsJson = False,
) -> None:
    """Recompute what entries state, and say what could not be checked; --repeat trains some of them again."""
    from bench.verification.statuses import read_verified, verified_text

    if no_user_code and folder is not None:
        raise UserError("--from names code of the submitter, which --no-user-code does not run: leave one of them out")
    stdout = reserve_stdout() if as_json else None
    known = read_verified(to) if to is not None and to.exists() else {}
    copies = Copies(existing(against) if against else None)
    datasets = _Datasets(data_dir, folder)
    checks = []
    for name, data in read_submissions(sources):
        check = check_entry(name, data, datasets.get, folder)
        copies.check(check)
        check.predictions = None  # a ledger's are larger than the memory
        checks.append(check)
    repeated = _repeat(checks, repeat, sample_seed, folder, data_dir) if repeat else {}
    if as_json:
        typer.echo(json.dumps({"entries": [_plain(check, repeated) for check in checks]}, indent=2), file=stdout)
    else:
        _print(checks, repeated)
    if to is not None:
        write(to, verified_text(known, checks, repeated), "--write")
    raise typer.Exit(1 if any(check.problems for check in checks) else 0)


class _Datasets:
    """Data sets, each loaded once; the submitter's own only from the folder that --from names."""

    def __init__(self, data_dir: Path | None, folder: Path | None) -> None:
        self.data_dir, self.folder = data_dir, folder
        self.loaded: dict[str, Dataset | UserError] = {}

    def get(self, component: JsonObject) -> Dataset:

        cache_key = canonical(component)
        if cache_key not in self.loaded:
            try:
                path = data_path(component, self.folder / "suite.yaml") if self.folder else None
                if is_user_defined(component["name"]) or (component["name"] in FROM_PATH and path is None):
                    raise UserError("the data are the submitter's own; --from names their folder")
                located = {**component, "path": str(path)} if path else component
                self.loaded[cache_key] = load(located, self.data_dir, lambda line: typer.echo(line, err=True))
            except UserError as error:
                self.loaded[cache_key] = error
        dataset = self.loaded[cache_key]
        if isinstance(dataset, UserError):
            raise dataset
        return dataset


def _print(checks: list[EntryCheck], repeated: dict[str, str]) -> None:
    """Problems for each entry that has some; what passed and what could not be checked, once for all that share it."""
    for check in checks:
        if check.problems:
            typer.echo(f"{check.name}: {plural(len(check.problems), 'problem')}")
            for problem in check.problems:
                typer.echo(f"  {escaped_line(problem)}")
    passed = [check for check in checks if not check.problems]
    if passed:
        subjects = list(dict.fromkeys(subject for check in passed for subject in check.checked))
        typer.echo(f"{len(passed):,} of {len(checks):,} {'entry' if len(checks) == 1 else 'entries'} without a problem")
        for subject in subjects:
            typer.echo(f"  {subject}: {sum(subject in check.checked for check in passed):,}")
    unchecked = list(dict.fromkeys(reason for check in checks for reason in check.unchecked))
    if unchecked:
        typer.echo("not checked")
        for reason in unchecked:
            typer.echo(f"  {escaped_line(reason)} ({sum(reason in check.unchecked for check in checks):,})")
    if passed and not repeated:
        typer.echo("  that these trials were run at all: --repeat N trains some of them again")


def _plain(check: EntryCheck, repeated: dict[str, str]) -> JsonObject:
    record = check.record
    return {
        "entry": check.name,
        "key": record.key if record else None,
        "checked": check.checked,
        "problems": check.problems,
        "unchecked": check.unchecked,
        "repeated": repeated.get(check.name),
    }


def _repeat(
    checks: list[EntryCheck], count: int, sample_seed: int | None, folder: Path | None, data_dir: Path | None
) -> dict[str, str]:
    """Train a sample of the trials again: what that gave, by entry name. One that differs becomes a problem."""

    trained = [
        check
        for check in checks
        if check.record
        and not check.problems
        and check.record.status in FINISHED
        and not is_external(check.record.config)
    ]
    # Without the folder that was named for it no code and no file of the submitter's is looked for.
    candidates = [c for c in trained if folder or (c.record and not submitters_component(c.record.config))]
    for check in trained:
        if check not in candidates:
            check.unchecked.append("repetition: components of the submitter's own; --from names their folder")
    if not candidates:
        typer.echo("nothing to repeat: no entry without a problem is of a trial that bench can train again", err=True)
        return {}
    seed = secrets.randbelow(2**32) if sample_seed is None else sample_seed
    sample = random.Random(seed).sample(candidates, min(count, len(candidates)))
    seconds = sum(
        check.record.run_info.train_seconds + check.record.run_info.evaluation_seconds
        for check in sample
        if check.record
    )
    devices = ", ".join(sorted({check.record.run_info.device for check in sample if check.record}))
    typer.echo(
        f"repeating {plural(len(sample), 'trial')} (--sample-seed {seed}), which took {seconds:,.0f} s on {devices}",
        err=True,
    )
    repeated = {}
    for check in sample:
        try:
            outcome, agrees = _train_again(check, folder or Path(), data_dir)
        except UserError as error:
            check.unchecked.append(f"repetition: {str(error).splitlines()[0]}")
            continue
        typer.echo(f"{check.name}: {outcome}", err=True)
        if agrees:
            repeated[check.name] = outcome
            check.checked.append("repetition")
        else:
            check.problems.append(f"repetition: {outcome}")
    return repeated


def _train_again(check: EntryCheck, folder: Path, data_dir: Path | None) -> tuple[str, bool]:
    """What training a trial again gave, in a sentence, and whether that agrees with the record."""
    from bench.report.compare.reproduction import check_reproduction

    record = check.record
    assert record is not None
    trial = rebuild_trial(record, folder)
    data: Any = datasets_of([trial], data_dir)[trial.data]

    def report(progress: Any) -> None:
        typer.echo(f"{trial.key}: epoch {progress.epoch} of {progress.epochs}", err=True)

    trained, on_cpu = train(trial, data, record.run_info.threads or 1, record.run_info.device, None, report)
    result: Reproduction = check_reproduction(
        record, None, trained.result, trained.run_info, None, trained.status, None, on_cpu
    )
    before, after = (f"{100 * value:.2f} %" if value is not None else "none" for value in (result.before, result.after))
    return f"{result.verdict}: {before}, now {after} on {trained.run_info.device or processor_name()}", result.agrees
