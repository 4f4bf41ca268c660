"""What a command prints and writes for people to open."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.completion import complete_axis, complete_key, complete_suites
from bench.errors import UserError
from bench.ledger.store import RESULTS as RESULTS

if TYPE_CHECKING:
    from rich.console import Console


EPILOG = "Exit codes: 0 all well, 1 some trials failed, 2 wrong input, 130 interrupted."
RUN_EPILOG = f"{EPILOG[:-1]}, 124 stopped by --max-hours."
COMPARE_EPILOG = (
    "Exit codes: 0 NEW is not worse by more than --max-drop, 1 it is or lacks what BASE has, 2 wrong input, "
    "3 inconclusive, 130 interrupted."
)
REPRODUCE_EPILOG = "Exit codes: 0 the results agree, 1 they differ, 2 wrong input, 130 interrupted."
VERIFY_EPILOG = "Exit codes: 0 no entry has a problem, 1 one has, 2 wrong input, 130 interrupted."

TRIALS, PLACES = "Which trials", "Data and results"
RESOURCES, MACHINES = "Resources of a trial", "Other machines"
OUTPUT = "What is printed"
"""Groups of options in `--help`."""

SuiteArgument = Annotated[
    list[str],
    typer.Argument(help="Suite files, or names of suites that come with bench.", autocompletion=complete_suites),
]
KeysArgument = Annotated[
    list[str],
    typer.Argument(help="Keys of trials, or their first digits.", metavar="KEY...", autocompletion=complete_key),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        help="Keep configurations that match, e.g. 'model=vgg*' or 'epochs=[2, 4]'.",
        metavar="AXIS=VALUE",
        autocompletion=complete_axis,
        rich_help_panel=TRIALS,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change an axis, a parameter or a setting, e.g. epochs=2.",
        metavar="KEY=VALUE",
        autocompletion=complete_axis,
        rich_help_panel=TRIALS,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Run this many seeds instead of the file's.", rich_help_panel=TRIALS),
]
Results = Annotated[
    str,
    typer.Option(
        "--results",
        envvar="BENCH_RESULTS",
        help="The ledger: a folder, or a URL such as s3://bucket/path.",
        metavar="DIR|URL",
        rich_help_panel=PLACES,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Look here for data first (also: BENCH_DATA).", metavar="DIR", rich_help_panel=PLACES
    ),
]
CpusPerTrial = Annotated[
    float,
    typer.Option(
        "--cpus-per-trial",
        min=1,
        help="CPUs, and threads, of one trial.",
        rich_help_panel=RESOURCES,
        envvar="BENCH_CPUS_PER_TRIAL",
    ),
]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-trial",
        min=0,
        help="GPUs of one trial, e.g. 0.25; 0 trains on CPUs.",
        rich_help_panel=RESOURCES,
        envvar="BENCH_GPUS_PER_TRIAL",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        help="Trials side by side; as many as fit by default.",
        rich_help_panel=RESOURCES,
        envvar="BENCH_JOBS",
    ),
]
KeepWeights = Annotated[
    Literal["none", "best", "all"],
    typer.Option(
        "--keep",
        help="Save trained weights: all, or best, those of the configuration that validation selects.",
        show_default=True,
        rich_help_panel=PLACES,
        envvar="BENCH_KEEP",
    ),
]
NoUserCode = Annotated[
    bool,
    typer.Option(
        "--no-user-code",
        help="Refuse the user's own components and metrics, so that no code of theirs runs.",
        rich_help_panel=TRIALS,
    ),
]
NoRay = Annotated[
    bool, typer.Option("--no-ray", help="Train in this process, one trial at a time.", rich_help_panel=RESOURCES)
]
CheckpointAfter = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0,
        help="Trials that train longer can go on where they were stopped.",
        show_default=True,
        rich_help_panel=RESOURCES,
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Start a trial whose worker process died again, N times at most.",
        rich_help_panel=RESOURCES,
    ),
]
RetryAlone = Annotated[
    bool,
    typer.Option(
        "--retry-alone",
        help="Start a trial that ran out of its fraction of a GPU's memory once more, with a GPU to itself.",
        rich_help_panel=RESOURCES,
    ),
]
ClusterFile = Annotated[
    Path | None,
    typer.Option(
        "--cluster", help="Run on the cluster of this Ray launcher file.", metavar="FILE", rich_help_panel=MACHINES
    ),
]
SlurmFile = Annotated[
    Path | None,
    typer.Option(
        "--slurm", help="Run as an array of SLURM jobs, as this file says.", metavar="FILE", rich_help_panel=MACHINES
    ),
]
Teardown = Annotated[
    bool, typer.Option("--teardown", help="Tear the cluster down at the end.", rich_help_panel=MACHINES)
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", help="Run on the Ray cluster that answers there.", metavar="HOST:PORT", rich_help_panel=MACHINES
    ),
]
Log = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        help="Trials at a tracker: tensorboard, mlflow or wandb, with where it is, e.g. mlflow=http://HOST:5000.",
        metavar="TRACKER[=DESTINATION]",
        rich_help_panel=PLACES,
    ),
]
Force = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        help="Train anew what is in the ledger and matches, as --only does.",
        metavar="AXIS=VALUE",
        autocompletion=complete_axis,
        rich_help_panel=TRIALS,
    ),
]
MaxHours = Annotated[
    float | None,
    typer.Option(
        "--max-hours",
        help="Stop then; what runs goes on from its checkpoint another time.",
        metavar="HOURS",
        rich_help_panel=RESOURCES,
    ),
]
SuiteFolder = Annotated[
    Path,
    typer.Option(
        "--from",
        exists=True,
        file_okay=False,
        help="The suite file's folder, for paths of your model and data.",
        metavar="DIR",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would run, as `bench plan` does.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors alone.", rich_help_panel=OUTPUT)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print a line for each epoch of each trial.", rich_help_panel=OUTPUT)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def options_text(only: list[str] | None, cli_overrides: list[str] | None, seeds: int | None) -> str:
    """The options that narrow or change a suite, as a command line has them."""
    pairs = [("--only", text) for text in only or []] + [("--set", text) for text in cli_overrides or []]
    pairs += [("--seeds", str(seeds))] if seeds is not None else []
    return "".join(f" {option} {shlex.quote(text)}" for option, text in pairs)


def suite_argument(suite: str, options: str) -> str:
    """A suite's file or name before such options; a path that begins with a dash would be taken for an option."""
    return shlex.quote(f"./{suite}" if suite.startswith("-") else suite) + options


SUITE_INDEX = ".suites.json"
"""Which suite file each report in a folder is of: two suites may have one name."""


def write(path: Path, text: str, option: str = "--out") -> None:
    """Write the file, making its folder where needed, and say so; UserError where that cannot be names the `option`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")  # a file's name need not be UTF-8
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another place with {option}") from error
    typer.echo(f"wrote {path}")


def claim_report_name(folder: Path, name: str, suite: Path) -> None:
    """Note in the folder that its reports of this name are of this suite file.

    Raises
    ------
    UserError
        They are of another suite file, which is still there and says something else.
    """
    index = folder / SUITE_INDEX
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    suite_of_report: dict[str, str] = content if isinstance(content, dict) else {}
    noted_suite = folder / str(suite_of_report.get(name, os.path.relpath(suite, folder)))
    if noted_suite.is_file() and not noted_suite.samefile(suite) and noted_suite.read_bytes() != suite.read_bytes():
        raise UserError(
            f"{folder / name}.*: reports of this name are of another suite, {os.path.relpath(noted_suite)}\n"
            f"  give {os.path.relpath(suite)} a `name` of its own, or choose another folder with --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        index.write_text(
            json.dumps({**suite_of_report, name: os.path.relpath(suite, folder)}, indent=1), encoding="utf-8"
        )
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}; choose another place with --out") from error


def terminal(quiet: bool = False) -> Console:
    """The terminal, for text as it is: names in square brackets are no markup of rich's. A quiet one prints nothing."""
    from rich.console import Console

    return Console(markup=False, highlight=False, quiet=quiet)
