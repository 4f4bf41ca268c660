"""The command: puts the commands together, and turns exceptions and signals into messages and exit codes."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import Annotated

import typer

from bench import __version__
from bench.commands.add import add
from bench.commands.cluster import Detached, cluster_app
from bench.commands.compare import compare
from bench.commands.data import data_app
from bench.commands.doctor import doctor
from bench.commands.export import export
from bench.commands.look import list_, schema, show
from bench.commands.merge import merge
from bench.commands.options import COMPARE_EPILOG, EPILOG, REPRODUCE_EPILOG
from bench.commands.plan import plan
from bench.commands.published import published
from bench.commands.report import report
from bench.commands.reproduce import reproduce
from bench.commands.run import run
from bench.execution.host import stop_on_sigterm
from bench.suite.errors import UserError

app = typer.Typer(
    name="bench",
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


app.command(epilog=EPILOG)(run)
app.command(epilog=EPILOG)(plan)
app.command(epilog=EPILOG)(report)
app.command(epilog=EPILOG)(published)
app.command(epilog=COMPARE_EPILOG)(compare)
app.command(epilog=REPRODUCE_EPILOG)(reproduce)
app.command(epilog=EPILOG)(add)
app.command(epilog=EPILOG)(export)
app.command(epilog=EPILOG)(merge)
app.command(epilog=EPILOG)(show)
app.command("list", epilog=EPILOG)(list_)
app.command(epilog=EPILOG)(schema)
app.command(epilog=EPILOG)(doctor)
app.add_typer(data_app, name="data")
app.add_typer(cluster_app, name="cluster")


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
        if end.code == 130 and not isinstance(end, Detached):
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
