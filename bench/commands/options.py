"""The arguments and options that several commands take."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.ledger.address import RESULTS as RESULTS

EPILOG = "Exit codes: 0 all well, 1 some trials failed, 2 wrong input, 130 interrupted."
COMPARE_EPILOG = (
    "Exit codes: 0 NEW is not worse by more than --max-drop, 1 it is or lacks what BASE has, 2 wrong input, 3 cannot "
    "tell, 130 interrupted."
)
REPRODUCE_EPILOG = "Exit codes: 0 the figures agree, 1 they differ, 2 wrong input, 130 interrupted."

SuiteArgument = Annotated[list[str], typer.Argument(help="Suite files, or names of suites that come with bench.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", help="Keep configurations that match, e.g. 'model=vgg*' or 'epochs=[2, 4]'.", metavar="AXIS=VALUE"
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change an axis, a parameter or a setting, e.g. epochs=2.", metavar="KEY=VALUE"),
]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="Run this many seeds instead of the file's.")]
Results = Annotated[
    str,
    typer.Option(
        "--results",
        envvar="BENCH_RESULTS",
        help="The ledger: a folder, or a URL such as s3://bucket/path.",
        metavar="DIR|URL",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Look here for data first (also: BENCH_DATA).", metavar="DIR")
]
CpusPerTrial = Annotated[float, typer.Option("--cpus-per-trial", min=1, help="CPUs, and threads, of one trial.")]
GpusPerTrial = Annotated[
    float | None, typer.Option("--gpus-per-trial", min=0, help="GPUs of one trial, e.g. 0.25; 0 trains on CPUs.")
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Trials side by side; as many as fit by default.")]
NoUserCode = Annotated[
    bool,
    typer.Option("--no-user-code", help="Refuse models of the user's own, so that no code of theirs runs."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def as_written(only: list[str] | None, overrides: list[str] | None, seeds: int | None) -> str:
    """The options that narrow or change a suite, as a command line has them."""
    pairs = [("--only", text) for text in only or []] + [("--set", text) for text in overrides or []]
    pairs += [("--seeds", str(seeds))] if seeds is not None else []
    return "".join(f" {option} {shlex.quote(text)}" for option, text in pairs)


def with_suite(suite: str, options: str) -> str:
    """A suite's file or name before such options; a path that begins with a dash would be taken for an option."""
    return shlex.quote(f"./{suite}" if suite.startswith("-") else suite) + options
