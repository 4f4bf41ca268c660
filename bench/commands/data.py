"""`bench data`: data sets are fetched, verified and shown; also the data sets of the commands that train."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from pydantic import ValidationError

from bench.commands.load_suites import load as load_suite
from bench.commands.options import EPILOG, DataDir, terminal, write
from bench.completion import complete_dataset
from bench.components import AXES, parse_component
from bench.components.datasets import FROM_PATH
from bench.data import fetch as fetch_data
from bench.data import load
from bench.data.catalogue import find
from bench.data.explore import explore
from bench.data.readers import entry_at
from bench.errors import UserError, nearest
from bench.execution.user_dataset import load_dataset
from bench.jsonutil import JsonObject, canonical
from bench.streams import reserve_stdout
from bench.suite.labels import axis_label
from bench.suite.schema import Stratified, Tail
from bench.suite.trial import check_contents, data_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from bench.data.dataset import Dataset
    from bench.suite.schema import Validation
    from bench.suite.trial import Trial


AUGMENTED = 12
"""Images in a row of augmented samples."""


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A data set's name, a path, or '{name: ...}' as a suite file has it.", autocompletion=complete_dataset
        ),
    ],
    html: Annotated[bool, typer.Option("--html", help="One offline page with images.")] = False,
    suite: Annotated[str | None, typer.Option("--suite", help="Show this suite's augmentations, with --html.")] = None,
    size: Annotated[
        tuple[int, int] | None, typer.Option("--size", min=1, help="Resize an image folder's.", metavar="HEIGHT WIDTH")
    ] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="1 grey, 3 colour: of an image folder.")] = None,
    validation: Annotated[
        str | None,
        typer.Option(
            "--validation",
            help="The validation part as trials have it: tail=0.2, stratified=0.1, given.",
            metavar="KIND[=FRACTION]",
        ),
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[str, typer.Option("--out", help="Folder to write to; - prints.", metavar="DIR")] = "reports",
) -> None:
    """Show a data set: sizes, classes, pixel values, samples, means, duplicates."""
    if suite is not None and not html:
        raise UserError("--suite shows images, which need a page; add --html")
    stdout = reserve_stdout() if html and out == "-" else sys.stdout
    component = _entry(name, size, channels)
    validation_split = _validation(validation)

    loaded = load_suite(suite, None, None, None) if suite is not None else None

    data = load(component, data_dir, lambda line: typer.echo(line, err=True))
    exploration = explore(data, validation=validation_split)
    if not html:
        from bench.report.show_dataset import print_exploration

        print_exploration(exploration, terminal())
        return
    from bench.report.show_dataset import data_page

    rows = _augmented([config["augmentation"] for config, _ in loaded.configurations], data) if loaded else []
    page = data_page(exploration, rows)
    if out == "-":
        typer.echo(page, file=stdout)
        return
    path = Path(out) / f"data-{re.sub(r'[^A-Za-z0-9_.]+', '-', exploration.name)}.html"
    write(path, page)


def _entry(name: str, size: tuple[int, int] | None, channels: int | None) -> str | JsonObject:
    """A catalogue's name, a suite file's component, or the component of what lies at a path."""
    if channels not in (None, 1, 3):
        raise UserError(f"--channels {channels}: allowed are 1 (grey) and 3 (colour)")
    if name.lstrip().startswith("{"):
        if size or channels:
            raise UserError("--size and --channels are for image folders named by their path; write them into {...}")
        return _component(name)
    options = {"size": list(size) if size else None, "channels": channels}
    options_given = {key: value for key, value in options.items() if value is not None}
    try:
        catalogue_name = find(name).name
    except UserError as error:
        component = entry_at(Path(os.path.expanduser(name)))  # noqa: PTH111 (a Path's own raises for ~nobody)
        if component is None:
            raise UserError(f"{error}\n  nor is there a folder or a file {name}") from error
        if options_given and component["name"] != "image_folder":
            raise UserError(f"--{next(iter(options_given))} is for image folders, and {name} is a file") from error
        return {**component, **options_given}
    if options_given:
        raise UserError(
            f"--{next(iter(options_given))} is for image folders; {catalogue_name} is as its makers published it"
        )
    return catalogue_name


def _component(text: str) -> str | JsonObject:
    """``{name: torchvision, dataset: SVHN}`` as a suite file has it, its path from the working directory."""

    try:
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{text}: is not written as in a suite file: {str(error).splitlines()[0]}") from error
    classes = AXES["dataset"]
    if not isinstance(plain, dict) or plain.get("name") not in classes:
        name = plain.get("name") if isinstance(plain, dict) else plain
        hint = nearest(name, classes)
        raise UserError(f"{text}: there is no data set {name!r}; allowed: {', '.join(classes)}\n  {hint}".rstrip())
    try:
        component = classes[plain["name"]].model_validate(plain).to_json()
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, p['loc']))}: {p['msg'].lower()}" for p in error.errors()]
        raise UserError(f"{text}: {'; '.join(problems)}; `bench list datasets {plain['name']}` shows it") from error
    if component["name"] not in FROM_PATH:
        return find(component).name
    path = data_path(component, Path("suite.yaml"))
    return {**component, "path": str(path)} if path else component


def _validation(text: str | None) -> Validation | None:
    """``tail=0.2`` as a suite file's ``{tail: 0.2}``."""
    if text is None:
        return None
    if text == "given":
        return "given"

    kinds: dict[str, type[Tail | Stratified]] = {"tail": Tail, "stratified": Stratified}
    kind, _, fraction = text.partition("=")
    try:
        return kinds[kind.strip()](**{kind.strip(): float(fraction)})
    except (KeyError, ValueError) as error:
        allowed = ", ".join(f"{name}=FRACTION" for name in kinds)
        message = f"--validation {text}: allowed are {allowed} (between 0 and 1, such as tail=0.2) and given"
        raise UserError(message) from error


def _augmented(augmentations: list[list[JsonObject]], data: Dataset) -> list[tuple[str, NDArray[np.uint8]]]:
    """The first training images, then as each different augmentation of a suite makes them."""
    import torch

    from bench.training import augment

    images = torch.tensor(data.train_images[:AUGMENTED])
    labels = torch.tensor(data.train_labels[:AUGMENTED])
    rows = [("as they are", data.train_images[:AUGMENTED])]
    for value in {canonical(value): value for value in augmentations if value}.values():
        generator = torch.Generator().manual_seed(0)
        augmented = images / 255
        components = [parse_component("augmentation", component) for component in value]
        for step in augment.create_augmentation(components):
            if step is not None:
                augmented = step(augmented, generator)
        mix = augment.create_mixing(components)
        if mix is not None:
            augmented, _ = mix(augmented, labels, len(data.classes), generator)
        rows.append((axis_label(value, "augmentation"), (augmented * 255).round().to(torch.uint8).numpy()))
    if len(rows) == 1:
        raise UserError("--suite: no configuration of this suite has an augmentation; leave it out")
    return rows


data_app = typer.Typer(help="Data sets: show them, fetch them.", add_completion=False, no_args_is_help=True)
data_app.command("show", epilog=EPILOG)(show)


@data_app.command("fetch", epilog=EPILOG)
def fetch(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Data sets, or '{name: torchvision, dataset: SVHN}' as a suite file has them.",
            autocompletion=complete_dataset,
        ),
    ],
    data_dir: DataDir = None,
) -> None:
    """Make sure that data sets are on this machine, and verify them."""
    for name in names:
        dataset = _component(name) if name.lstrip().startswith("{") else name
        typer.echo(f"{name}: verified in {fetch_data(dataset, data_dir, notify=typer.echo)}")


def datasets_of(
    trials: list[Trial], data_dir: Path | None, locations: Mapping[str, str] | None = None
) -> dict[str, Dataset]:
    """The data that trials need, by `Trial.data`; what is missing is fetched, which stderr tells.

    `locations` says where a suite file names the user's own data, which a message about them begins with. UserError
    where data are not those that the trials' keys were made with.
    """
    datasets: dict[str, Dataset] = {}
    for text, trial in {trial.data: trial for trial in trials}.items():
        try:
            datasets[text] = load_dataset(trial, data_dir, lambda line: typer.echo(line, err=True))
        except UserError as error:
            if not trial.is_from_path or not locations:
                raise
            raise UserError(f"{locations[text]}: {error}") from error
    check_contents(trials, datasets)
    return datasets
