"""The command line: puts the commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from bench import __version__
from bench.commands.cluster import cluster_app
from bench.commands.compare import compare
from bench.commands.data import data_app
from bench.commands.doctor import doctor
from bench.commands.export import export
from bench.commands.import_predictions import import_predictions
from bench.commands.merge import merge
from bench.commands.options import COMPARE_EPILOG, EPILOG, REPRODUCE_EPILOG
from bench.commands.plan import plan
from bench.commands.published import published
from bench.commands.report import report
from bench.commands.reproduce import reproduce
from bench.commands.run import run
from bench.commands.show import list_, schema, show

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
app.command("import", epilog=EPILOG)(import_predictions)
app.command(epilog=EPILOG)(export)
app.command(epilog=EPILOG)(merge)
app.command(epilog=EPILOG)(show)
app.command("list", epilog=EPILOG)(list_)
app.command(epilog=EPILOG)(schema)
app.command(epilog=EPILOG)(doctor)
app.add_typer(data_app, name="data")
app.add_typer(cluster_app, name="cluster")
