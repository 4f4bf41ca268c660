"""`bench data`: data sets are fetched, verified and looked at; and the same for the commands that train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.data_show import show
from bench.commands.options import EPILOG, DataDir
from bench.suite.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.data.dataset import Dataset
    from bench.suite.trial import Trial

data_app = typer.Typer(help="Data sets: fetch, verify, look at.", no_args_is_help=True)
data_app.command("show", epilog=EPILOG)(show)


@data_app.command("fetch", epilog=EPILOG)
def fetch(
    names: Annotated[list[str], typer.Argument(help="Data sets; `bench list datasets` shows all.")],
    data_dir: DataDir = None,
) -> None:
    """Make sure that data sets are on this machine, and verify them."""
    from bench.data import fetch as fetch_data

    for name in names:
        typer.echo(f"{name}: verified in {fetch_data(name, data_dir, notify=typer.echo)}")


def datasets_of(
    trials: list[Trial], data_dir: Path | None, places: Mapping[str, str] | None = None
) -> dict[str, Dataset]:
    """The data that trials need, by `Trial.data`; what is missing is fetched, which stderr tells.

    `places` says where a suite file names the user's own data, which a message about them begins with. UserError where
    data are not those that the trials' keys were made with.
    """
    from bench.data import load
    from bench.suite.trial import check_contents

    found: dict[str, Dataset] = {}
    for text, trial in {trial.data: trial for trial in trials}.items():
        try:
            found[text] = load(trial.run_config["dataset"], data_dir, lambda line: typer.echo(line, err=True))
        except UserError as error:
            if trial.data_path is None or not places:
                raise
            raise UserError(f"{places[text]}: {error}") from error
    check_contents(trials, found)
    return found
