"""`bench show`, `bench list`, `bench schema`: look at one record, at what there is, at what a suite file may say."""

from __future__ import annotations

import fnmatch
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.load_results import warn_damaged
from bench.commands.options import RESULTS, Results
from bench.completion import complete_key
from bench.components import AXES
from bench.components.base import Component
from bench.components.data_questions import CORRUPTIONS
from bench.errors import UserError, match_spelling, nearest
from bench.execution.logs import log_text
from bench.ledger.ledger import Ledger
from bench.ledger.store import LOGS, entry_location, with_results
from bench.ledger.weights_files import weights_of
from bench.metrics import METRICS
from bench.published import load
from bench.report.compare.find_configuration import KEY, find_configuration
from bench.report.grouping import group_trials
from bench.report.record_text import record_text, trial_lines
from bench.streams import reserve_stdout
from bench.suite.find_suite import shipped_suites
from bench.suite.json_schema import json_schema
from bench.suite.labels import SEPARATOR
from bench.suite.yaml_loader import read

if TYPE_CHECKING:
    from bench.ledger.record import Record


KINDS = {
    "models": "model",
    "optimizers": "optimizer",
    "regularizers": "regularizer",
    "augmentations": "augmentation",
    "schedules": "schedule",
    "losses": "loss",
    "steps": "step",
    "imbalances": "imbalance",
    "label_noises": "label_noise",
    "preprocessings": "preprocessing",
    "datasets": "dataset",
}
OTHER_KINDS = ("metrics", "corruptions", "suites", "published")
MAX_WIDTH = 100


def listing(kind: str, pattern: str = "*") -> Iterator[str]:
    """Lines for `bench list KIND`; models and optimizers add the libraries' names when a pattern is given.

    Raises
    ------
    UserError
        No such kind, or nothing of it matches.
    """
    empty = True
    for line in _lines(kind, pattern):
        empty = False
        yield line
    if empty:
        hint = nearest(pattern, AXES.get(KINDS.get(kind, kind), ()))
        raise UserError(
            f"list {kind}: nothing matches {pattern!r}; `bench list {kind}` shows what there is"
            + (f"\n  {hint}" if hint else "")
        )


def _lines(kind: str, pattern: str) -> Iterator[str]:
    kind = {axis: name for name, axis in KINDS.items()}.get(kind, kind)  # `optimizer` as a suite file has it
    width = min(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MAX_WIDTH)
    if kind == "suites":
        yield from _suites(pattern)
    elif kind == "published":
        yield from _published(pattern, width)
    elif kind == "metrics":
        yield from _metrics(pattern, width)
    elif kind == "corruptions":
        yield from _corruptions(pattern, width)
    elif kind in KINDS:
        pattern = match_spelling(pattern, AXES["dataset"]) if kind == "datasets" else pattern
        components = {
            name: component for name, component in AXES[KINDS[kind]].items() if fnmatch.fnmatch(name, pattern)
        }
        yield from _components(components, width)
        yield from _libraries(kind, pattern)
    else:
        kinds = [*KINDS, *OTHER_KINDS]
        hint = nearest(kind, kinds)
        raise UserError(f"list {kind}: allowed: {', '.join(kinds)}" + (f"\n  {hint}" if hint else ""))


def _components(components: dict[str, type[Component]], width: int) -> Iterator[str]:
    """A line on what each entry is; below it its parameters with their defaults, as a suite file writes them."""
    indent = " " * (max(map(len, components), default=0) + 2)
    for name, component in components.items():
        description = wrap(" ".join((component.__doc__ or "").split()), width - len(indent))
        parameters = [
            f"{key} (needed)" if field.is_required() else f"{key}={_value_text(field.default)}"
            for key, field in component.model_fields.items()
            if key != "name"
        ]
        lines = [*description, *_wrapped(parameters, width - len(indent))]
        yield name.ljust(len(indent)) + lines[0]
        yield from (indent + line for line in lines[1:])


def _value_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _wrapped(parts: Iterable[str], width: int) -> list[str]:
    """Parts joined with commas into lines, none broken."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f", {part}"
        else:
            lines = [*(f"{line}," if line is lines[-1] else line for line in lines), part]
    return lines


def _suites(pattern: str) -> Iterator[str]:

    suites = {name: path for name, path in shipped_suites().items() if fnmatch.fnmatch(name, pattern)}
    data = {name: read(path).data for name, path in suites.items()}
    titles = {name: str(data[name].get("title", "")) for name in suites}
    yield from _columns((name, titles[name], _relative_path(path)) for name, path in suites.items())


def _relative_path(path: Path) -> str:
    """A path as seen from the working folder where it lies below that."""
    folder = Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _metrics(pattern: str, width: int) -> Iterator[str]:
    """What `metrics` and `rank_by` of a suite file may name."""
    indent = " " * (max(map(len, METRICS)) + 2)
    for name, metric in METRICS.items():
        if fnmatch.fnmatch(name, pattern):
            about = f"{metric.about}{'; smaller is better' if metric.ascending else ''}"
            first, *more = wrap(about, width - len(indent), break_on_hyphens=False)
            yield name.ljust(len(indent)) + first
            yield from (indent + line for line in more)


def _corruptions(pattern: str, width: int) -> Iterator[str]:
    """What `robustness` of a suite file may name, each with its parameters at the severities 1 to 5."""
    indent = " " * (max(map(len, CORRUPTIONS)) + 2)
    for name, corruption in CORRUPTIONS.items():
        if fnmatch.fnmatch(name, pattern):
            severities = ["/".join(f"{value:g}" for value in parameters) for parameters in corruption.severities]
            lines = wrap(f"{corruption.description}: {', '.join(severities)}", width - len(indent))
            yield name.ljust(len(indent)) + lines[0]
            yield from (indent + line for line in lines[1:])


def _published(pattern: str, width: int) -> Iterator[str]:
    """The published results by dataset, each with its value and flags; a pattern may mean ``dataset/id`` or a flag."""
    matching = [r for r in load() if fnmatch.filter((r.id, f"{r.dataset}/{r.id}", *r.flags), pattern)]
    indent = " " * (max((len(reference.id) for reference in matching), default=0) + 2)
    for dataset in dict.fromkeys(reference.dataset for reference in matching):
        yield dataset
        for reference in (r for r in matching if r.dataset == dataset):
            value = reference.reported if reference.value is None else f"{100 * reference.value:.2f} %"
            flags = f" ({', '.join(flag.replace('_', ' ') for flag in reference.flags)})" if reference.flags else ""
            metric = reference.metric.replace("_", " ")
            text = f"{metric} {value}: {reference.model}{flags}"
            lines = wrap(text, max(width - len(indent) - 2, 20), break_on_hyphens=False)
            yield f"  {reference.id.ljust(len(indent))}{lines[0]}"
            yield from (f"  {indent}{line}" for line in lines[1:])


def _libraries(kind: str, pattern: str) -> Iterator[str]:
    # A name of our own needs no library asked, which takes seconds.
    if kind not in ("models", "optimizers") or pattern in AXES[KINDS[kind]]:
        return
    if pattern == "*":
        yield f"... and by name what the libraries have: `bench list {kind} 'r*'` shows those that match"
        return
    if kind == "models":
        import timm

        yield from (f"{name}  (timm)" for name in timm.list_models(pattern))
    else:
        from bench.training.optimizer_factory import names

        matching = (name for name in names() if name not in AXES["optimizer"] and fnmatch.fnmatch(name, pattern))
        yield from (f"{name}  (torch or timm)" for name in matching)


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()


def show(
    key: Annotated[
        str,
        typer.Argument(
            help="A trial's key, or its first digits; or a configuration's label, as reports have it.",
            metavar="KEY|LABEL",
            autocompletion=complete_key,
        ),
    ],
    results: Results = RESULTS,
    as_json: Annotated[bool, typer.Option("--json", help="The whole record as JSON.")] = False,
    log: Annotated[bool, typer.Option("--log", help="What the trial printed.")] = False,
) -> None:
    """Show one trial's record, or the trials of a configuration."""
    if log and as_json:
        raise UserError("show: --log and --json: take one of them")
    output = reserve_stdout() if as_json else sys.stdout

    ledger = Ledger(results)
    warn_damaged(ledger)
    records = _find_records(key, ledger)
    if log:
        _print_logs(records, ledger)
    elif as_json:
        json_records = [record.to_json() for record in records]
        typer.echo(json.dumps(json_records[0] if len(json_records) == 1 else json_records, indent=2), file=output)
    elif len(records) == 1:
        typer.echo(record_text(records[0], len(ledger.replicates(records[0].key))))
        for weights in weights_of(ledger, records[0].key):
            typer.echo(f"\nweights: {entry_location(ledger.store, weights.name)}")
        file = ledger.store.local / LOGS / f"{records[0].key}.log"
        if file.is_file():
            typer.echo(f"\nwhat it printed: {file}")
    else:
        typer.echo("\n".join(trial_lines(records)))
        typer.echo(f"\nOne of them in full: {with_results(f'bench show {records[0].key[:10]}', results)}")


def _print_logs(records: list[Record], ledger: Ledger) -> None:
    """What trials printed: of one on another machine that failed, the end that is in its record."""
    for record in records:
        if len(records) > 1:
            typer.echo(f"{record.key}  seed {record.seed}")
        if text := log_text(ledger.store.local, record.key) or (record.failure or {}).get("printed", ""):
            typer.echo(text.rstrip("\n"))
        else:
            typer.echo(f"{record.key}: it printed nothing, or its log is on the machine that ran it", err=True)


def _find_records(text: str, ledger: Ledger) -> list[Record]:
    """The record of a key, or those of all trials of the configuration with this label; UserError for neither."""
    records = ledger.records()
    if not text or not records or (KEY.fullmatch(text) and any(record.key.startswith(text) for record in records)):
        return [ledger.record(text)]
    label, _, seed = text.partition(f"{SEPARATOR}seed ")  # as the lines of a run have it
    _, configuration = find_configuration(label, group_trials(records), "show", str(ledger.root))
    matching = sorted(configuration.records, key=lambda record: record.seed)
    return [record for record in matching if str(record.seed) == seed] or matching


def _complete_kind(incomplete: str) -> list[str]:
    return [kind for kind in (*KINDS, *OTHER_KINDS) if kind.startswith(incomplete)]


def _complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    names = AXES.get(KINDS.get(ctx.params.get("kind", ""), ""), {})
    return [name for name in names if name.startswith(incomplete)]


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="models, optimizers, regularizers, datasets, suites, published, ...", autocompletion=_complete_kind
        ),
    ],
    pattern: Annotated[
        str,
        typer.Argument(help="With wildcards, e.g. 'resnet*'; of published, flags too.", autocompletion=_complete_name),
    ] = "*",
) -> None:
    """List what may be named in a suite file."""
    for line in listing(kind, pattern):
        typer.echo(line)


def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    output = reserve_stdout()

    typer.echo(json.dumps(json_schema(), indent=2), file=output)
