"""The command line: the names and the help of all commands; only the command that is called is imported."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from bench import __version__
from bench.commands.options import COMPARE_EPILOG, EPILOG, REPRODUCE_EPILOG, RUN_EPILOG, VERIFY_EPILOG


@dataclass(frozen=True)
class LazyCommand:
    """A command's help in `bench --help`, which is the first paragraph of its docstring, and where it is defined."""

    path: str
    """``module:function``, or ``module:app`` of a group of commands."""
    help: str
    epilog: str = EPILOG


COMMANDS = {
    "run": LazyCommand("run:run", "Train what the ledger lacks of a suite, then show its leaderboard.", RUN_EPILOG),
    "plan": LazyCommand(
        "plan:plan", "Show what a suite would run: trials, counts per axis, what is done, time and memory."
    ),
    "report": LazyCommand("report:report", "Rank what the ledger holds: in the terminal, or as files."),
    "published": LazyCommand(
        "report:published",
        "Compare published results with the ledger: those that a suite's `references` name with a `match` or a `note`.",
    ),
    "compare": LazyCommand(
        "compare:compare",
        "Test whether NEW is worse than BASE on the same test images; the exit code has the result.",
        COMPARE_EPILOG,
    ),
    "reproduce": LazyCommand(
        "compare:reproduce",
        "Run trials again from their records and report whether the results agree; nothing is written.",
        REPRODUCE_EPILOG,
    ),
    "import": LazyCommand(
        "exchange:import_predictions",
        "Add test predictions of any framework, classes or probabilities, to the leaderboard.",
    ),
    "export": LazyCommand(
        "exchange:export",
        "Write the ledger's trials to TensorBoard, MLflow or Weights & Biases; or a network for use without bench.",
    ),
    "predict": LazyCommand(
        "networks:predict", "Classify images with a trained network whose weights a run has saved (--keep)."
    ),
    "latency": LazyCommand(
        "networks:latency", "Time the forward passes of trained networks on this machine, at batches of 1 and 256."
    ),
    "merge": LazyCommand(
        "exchange:merge",
        "Copy into a ledger what it lacks of others; nothing that it holds changes, and doing it again copies nothing.",
    ),
    "pack": LazyCommand(
        "exchange:pack",
        "Write a ledger's entries into one file to send, which `bench merge` takes; equal ledgers give equal files.",
    ),
    "publish": LazyCommand(
        "publish:publish",
        "Write ledgers as a site of static files: suites, configurations, data sets, JSON, CSV and a feed.",
    ),
    "verify": LazyCommand(
        "verify:verify",
        "Recompute what entries state, and say what could not be checked; --repeat trains some of them again.",
        VERIFY_EPILOG,
    ),
    "show": LazyCommand("show:show", "Show one trial's record, or the trials of a configuration."),
    "list": LazyCommand("show:list_", "List what may be named in a suite file."),
    "schema": LazyCommand("show:schema", "Print the JSON Schema of suite files, for editors."),
    "doctor": LazyCommand(
        "doctor:doctor",
        "Check this machine: Python, torch, Ray, timm, devices, data, disks. Exit code 1 if something does not work.",
    ),
    "data": LazyCommand("data:data_app", "Data sets: show them, fetch them."),
    "slurm": LazyCommand("slurm:slurm_app", "Runs on SLURM: look, follow, stop."),
    "cluster": LazyCommand("cluster:cluster_app", "Runs on a cluster: look, follow, stop, fetch."),
}
"""In the order of `bench --help`; modules are those of `bench.commands`."""


class LazyGroup(TyperGroup):
    """The commands of `COMMANDS`: their help is known, and the one that is called is imported."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **options | {"commands": {name: TyperCommand(name, help=c.help) for name, c in COMMANDS.items()}}
        )

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, arguments = super().resolve_command(ctx, args)
        if name:
            command = load_command(name)
            if Path("bench.toml").is_file() and not ctx.resilient_parsing:  # which completion sets
                from bench.commands.user_defaults import default_map

                ctx.default_map = {name: default_map(name, command, COMMANDS)}
        return name, command, arguments


def load_command(name: str) -> Any:
    """Import a command of `COMMANDS`."""
    module, _, attribute = COMMANDS[name].path.partition(":")
    loaded = getattr(importlib.import_module(f"bench.commands.{module}"), attribute)
    if not isinstance(loaded, typer.Typer):
        function, loaded = loaded, typer.Typer(add_completion=False)
        loaded.command(name, epilog=COMMANDS[name].epilog)(function)
    return typer.main.get_command(loaded)


app = typer.Typer(
    name="bench",
    cls=LazyGroup,
    help="Benchmarks of small-image classifiers: a suite file in, an honest leaderboard out.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,  # noqa: ARG001
) -> None:
    if version:
        typer.echo(f"bench {__version__}")
        raise typer.Exit
