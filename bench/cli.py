"""The commands: each parses, calls and prints. torch and Ray are imported only by commands that train."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench import __version__
from bench.execution.host import stop_on_sigterm
from bench.suite.errors import UserError

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.report.report import Report
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial

EPILOG = "Exit codes: 0 all well, 1 some trials failed, 2 wrong input, 130 interrupted."
app = typer.Typer(
    name="bench",
    help="Benchmarks of small-image classifiers: a suite file in, an honest leaderboard out.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Data sets: fetch and verify.", no_args_is_help=True)
app.add_typer(data_app, name="data")

SuiteArgument = Annotated[list[str], typer.Argument(help="Suite files, or names of suites that come with bench.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Keep configurations that match, e.g. 'model=vgg*'.", metavar="AXIS=VALUE"),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change an axis, a parameter or a setting, e.g. epochs=2.", metavar="KEY=VALUE"),
]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="Run this many seeds instead of the file's.")]
Results = Annotated[Path, typer.Option("--results", envvar="BENCH_RESULTS", help="The ledger's folder.", metavar="DIR")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Look here for data first (also: BENCH_DATA).", metavar="DIR")
]
CpusPerTrial = Annotated[float, typer.Option("--cpus-per-trial", min=1, help="CPUs, and threads, of one trial.")]
GpusPerTrial = Annotated[
    float | None, typer.Option("--gpus-per-trial", min=0, help="GPUs of one trial, e.g. 0.25; 0 trains on CPUs.")
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Trials side by side; as many as fit by default.")]
RESULTS = Path("results")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,  # noqa: ARG001
) -> None:
    if version:
        typer.echo(f"bench {__version__}")
        raise typer.Exit


@app.command(epilog=EPILOG)
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
) -> None:
    """Train what the ledger lacks of a suite, then show its leaderboard."""
    loaded = [(text, _load(text, only, set_, seeds)) for text in suites]
    from bench.ledger.ledger import Ledger

    planned = [(text, suite, _trials(suite)) for text, suite in loaded]
    ledger = Ledger(results)
    for _, suite, trials in planned:
        _check(suite, trials)
    # Not before all input is known to be right: Ray takes seconds to import, and data may have to be fetched.
    from rich.console import Console

    from bench.execution.run import run_trials
    from bench.report.terminal import print_terminal

    console = Console()
    datasets = _datasets([trial for _, _, trials in planned for trial in trials], data_dir)
    failed = False
    _name_damaged(ledger)
    options = _options(only, set_, seeds)
    for text, suite, trials in planned:
        records = run_trials(
            trials,
            datasets,
            ledger,
            console,
            pruning=suite.pruning,
            suite=suite.name,
            git_commit=_git_commit(),
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            jobs=jobs,
            use_ray=not no_ray,
        )
        if not records:
            console.print(f"{suite.name}: nothing to run, its {len(trials)} trials are in {results}/", highlight=False)
        failed |= any(record.status == "failed" for record in records)
        print_terminal(_report(ledger, text + options, suite, trials), console, top=12)
        console.print(f"\nThe whole page: bench report {text}{options} --html", highlight=False, style="dim")
    raise typer.Exit(1 if failed else 0)


@app.command(epilog=EPILOG)
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
    probe: Annotated[bool, typer.Option("--probe", help="Measure a few steps of each kind of trial.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a suite would run: trials, counts per axis, what is done, time and memory."""
    loaded = [_load(text, only, set_, seeds) for text in suites]
    from bench.execution.board import todo
    from bench.execution.estimate import estimate, from_probes, from_records
    from bench.execution.host import slots
    from bench.execution.plan import plan_json, plan_text
    from bench.ledger.ledger import Ledger

    ledger = Ledger(results)
    _name_damaged(ledger)
    out = []
    for suite in loaded:
        trials = _trials(suite)
        if any(not _known(trial.config) for trial in trials):
            _check(suite, trials)
        done = ledger.done(suite.pruning.model_dump(mode="json") if suite.pruning else None)
        left = todo(trials, done, searches=suite.pruning is not None)
        missing = [*left.now, *(trial for rest in left.later.values() for trial in rest)]
        if probe:
            costs = from_probes(missing, _datasets(missing, data_dir), max(1, int(cpus_per_trial)))
        else:
            costs = from_records(missing, ledger.records())
        side_by_side = slots(cpus_per_trial, gpus_per_trial, jobs)
        cost = estimate(missing, costs, side_by_side)
        out.append(plan_json(suite, trials, missing, done, cost, side_by_side))
    if as_json:
        typer.echo(json.dumps(out[0] if len(out) == 1 else out, indent=2))
    else:
        typer.echo("\n\n".join(plan_text(one) for one in out))


@app.command(epilog=EPILOG)
def report(
    suite: Annotated[str | None, typer.Argument(help="A suite file or name; everything in the ledger without.")] = None,
    only: Only = None,
    set_: Set = None,
    seeds: Seeds = None,
    results: Results = RESULTS,
    out: Annotated[str, typer.Option("--out", help="Folder to write to; - prints.", metavar="DIR")] = "reports",
    html: Annotated[bool, typer.Option("--html", help="One offline page.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="The leaderboard as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The leaderboard as JSON.")] = False,
) -> None:
    """Rank what the ledger holds: in the terminal, or as files."""
    loaded = _load(suite, only, set_, seeds) if suite else None
    from rich.console import Console

    from bench.ledger.ledger import Ledger
    from bench.report.html import to_html
    from bench.report.markdown import to_markdown
    from bench.report.tables import to_csv, to_json
    from bench.report.terminal import print_terminal

    ledger = Ledger(results)
    options = _options(only, set_, seeds)
    built = _report(ledger, f"{suite}{options}", loaded, _trials(loaded) if loaded else None)
    _name_damaged(ledger)
    writers = {"html": (html, to_html), "md": (markdown, to_markdown), "csv": (csv, to_csv), "json": (as_json, to_json)}
    wanted = {suffix: write for suffix, (asked, write) in writers.items() if asked}
    if not wanted:
        print_terminal(built, Console())
    elif out == "-":
        for write in wanted.values():
            typer.echo(write(built))
    else:
        for suffix, write in wanted.items():
            # A changed or narrowed suite gets a name of its own, not that of the whole.
            name = (loaded.name if loaded else "leaderboard") + re.sub(r"[^A-Za-z0-9.]+", "-", options).rstrip("-")
            path = Path(out) / f"{name}.{suffix}"
            _write(path, write(built))
            typer.echo(f"wrote {path}")


@app.command(epilog=EPILOG)
def show(
    key: Annotated[str, typer.Argument(help="A trial's key, or its first digits.")],
    results: Results = RESULTS,
    as_json: Annotated[bool, typer.Option("--json", help="The whole record as JSON.")] = False,
) -> None:
    """Show one trial's record."""
    from bench.ledger.ledger import Ledger
    from bench.report.record import record_text

    ledger = Ledger(results)
    record = ledger.record(key)
    if as_json:
        typer.echo(json.dumps(record.to_json(), indent=2))
    else:
        typer.echo(record_text(record, len(ledger.replicates(record.key))))


@app.command("list", epilog=EPILOG)
def list_(
    kind: Annotated[str, typer.Argument(help="models, optimizers, regularizers, datasets, suites, published, ...")],
    pattern: Annotated[str, typer.Argument(help="With wildcards, e.g. 'resnet*'.")] = "*",
) -> None:
    """List what may be named in a suite file."""
    from bench.listing import listing

    for line in listing(kind, pattern):
        typer.echo(line)


@app.command(epilog=EPILOG)
def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    from bench.suite.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@data_app.command("fetch", epilog=EPILOG)
def fetch(
    names: Annotated[list[str], typer.Argument(help="Data sets; `bench list datasets` shows all.")],
    data_dir: DataDir = None,
) -> None:
    """Make sure that data sets are on this machine, and verify them."""
    from bench.data import fetch as fetch_data

    for name in names:
        typer.echo(f"{name}: verified in {fetch_data(name, data_dir, notify=typer.echo)}")


# --- what several commands share ----------------------------------------------------------------


def _load(text: str, only: list[str] | None, overrides: list[str] | None, seeds: int | None) -> Suite:
    from bench.suite.suite import find_suite, load_suite

    suite = load_suite(find_suite(text), only or [], overrides or [], seeds)
    if not all(_known({**config, "model": {"name": "mlp"}}) for config, _ in suite.configurations):
        from bench.training.optimizers import resolved

        def spelled_out(entry: dict[str, Any]) -> dict[str, Any]:
            try:
                return resolved(entry)
            except UserError:
                return entry  # `_check` tells of it, together with whatever else is wrong

        suite = suite.resolved(spelled_out)
    if not suite.references:
        return suite
    from bench.published import find

    unknown = []
    for name in suite.references:
        try:
            find([name])
        except UserError as error:
            unknown.append(f"{suite.place('references', name)}: {str(error).removeprefix('references: ')}")
    if unknown:
        raise UserError("\n".join(unknown))
    return suite


def _trials(suite: Suite) -> list[Trial]:
    from bench.data import fingerprint
    from bench.models.user import file_of, source
    from bench.suite.trial import trials

    folder = suite.path.resolve().parent
    return trials(
        suite, lambda entry: fingerprint(entry["name"]), lambda name: (file_of(name, folder), source(name, folder))
    )


def _options(only: list[str] | None, overrides: list[str] | None, seeds: int | None) -> str:
    """The options that narrow or change a suite, as a command line has them."""
    pairs = [("--only", text) for text in only or []] + [("--set", text) for text in overrides or []]
    pairs += [("--seeds", str(seeds))] if seeds is not None else []
    return "".join(f" {option} {shlex.quote(text)}" for option, text in pairs)


def _name_damaged(ledger: Ledger) -> None:
    for path, reason in ledger.damaged:
        typer.echo(f"passed over {path}: {reason}", err=True)


def _datasets(trials: list[Trial], data_dir: Path | None) -> dict[str, Any]:
    from bench.data import load

    names = sorted({trial.config["dataset"]["name"] for trial in trials})
    return {name: load(name, data_dir, notify=lambda line: typer.echo(line, err=True)) for name in names}


def _known(config: dict[str, Any]) -> bool:
    from bench.suite.components import AXES, OPEN

    return all(config[axis]["name"] in AXES[axis] for axis in OPEN)


def _is_plain(config: dict[str, Any]) -> bool:
    """Whether the suite file alone tells that a configuration fits any picture."""
    reflects = any(entry.get("mode") == "reflect" for entry in config["augmentation"])
    return _known(config) and config["model"]["name"] == "mlp" and not reflects


def _check(suite: Suite, trials: list[Trial]) -> None:
    """The checks that need torch; left out where the file itself has told everything."""
    first = {trial.group: trial for trial in trials}.values()
    if all(_is_plain(trial.config) for trial in first):
        return
    from bench.data import DATASETS
    from bench.suite.components import OPEN
    from bench.suite.expand import canonical
    from bench.training.check import check

    shapes = {name: (info.shape, len(info.classes)) for name, info in DATASETS.items()}
    places = {
        canonical([axis, trial.run_config[axis]]): suite.place(axis, trial.config[axis])
        for trial in first
        for axis in OPEN
    }
    check([trial.run_config for trial in first], shapes, places)


def _report(ledger: Ledger, text: str | None, suite: Suite | None, trials: list[Trial] | None) -> Report:
    from bench.published import find
    from bench.report import build

    if suite is None or trials is None:
        return build(ledger.records(), ledger.predictions, title="All results", command="bench report")
    keys = {trial.key for trial in trials}
    return build(
        [record for record in ledger.records() if record.key in keys],
        ledger.predictions,
        title=suite.title,
        suite=suite.name,
        references=find(suite.references),
        command=f"bench run {text}",
        planned=trials,
    )


def _git_commit() -> str | None:
    """The commit of a checkout that this package runs from, with + for uncommitted changes."""
    import subprocess

    folder = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another folder with --out") from error


def main() -> None:
    """The console command: runs `app` and turns exceptions and signals into messages and exit codes."""
    debug = "--debug" in sys.argv
    sys.argv = [sys.argv[0], *(argument for argument in sys.argv[1:] if argument != "--debug")]
    try:
        with stop_on_sigterm():
            app()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # `bench list models | head` is no failure
            end.code = 0
        if end.code == signal.SIGTERM:  # while Ray starts, its own handler leaves with the signal's number
            end.code = 130
        if end.code == 130:
            typer.echo("Stopped. What ended is in the ledger; the same command goes on from there.", err=True)
        raise
    except UserError as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except Exception as error:
        if debug:
            raise
        typer.echo(f"bench failed unexpectedly: {type(error).__name__}: {error}\n  --debug shows where", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
