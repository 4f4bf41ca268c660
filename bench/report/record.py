"""One record, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from bench.components import AXES
from bench.ledger.record import Metrics, Record, RunInfo
from bench.metrics import METRICS
from bench.suite.labels import ORDER, axis_label

WIDTH = 15
FIRST = ("accuracy", "loss")


def record_text(record: Record, replicates: int = 0) -> str:
    """A trial's configuration, figures, cost and curves as lines of text.

    Parameters
    ----------
    record
        Of any status; what it does not hold gets no line.
    replicates
        How many more finished records the ledger holds of the same key.
    """
    suite = f", suite {record.suite}" if record.suite else ""
    lines = [f"{record.key}  {record.status}, seed {record.seed}{suite}"]
    pairs = [*_configuration(record), *_figures(record), *_cost(record.run_info)]
    if replicates:
        pairs.append(("replicates", f"{replicates} more finished with the same key"))
    lines += [f"  {name.ljust(WIDTH)} {text}" for name, text in pairs if text]
    lines += _further(record)
    lines += ["", *_curves(record)] if record.result.curves else []
    lines += ["", *_failure(record.failure)] if record.failure else []
    return "\n".join(lines)


def trial_lines(records: Sequence[Record]) -> list[str]:
    """A line for each trial of a configuration: key, seed, how it ended, accuracies."""
    columns = [
        ["key", *(record.key for record in records)],
        ["seed", *(str(record.seed) for record in records)],
        ["status", *(record.status for record in records)],
        ["epochs", *(str(record.result.epochs_run) for record in records)],
        ["validation", *(_accuracy(record.result.validation) for record in records)],
        ["test", *(_accuracy(record.result.test) for record in records)],
    ]
    return _aligned(columns)


def _accuracy(metrics: Metrics | None) -> str:
    return _figure("accuracy", metrics["accuracy"]) if metrics and "accuracy" in metrics else ""


def _configuration(record: Record) -> Iterator[tuple[str, str]]:
    for key in sorted(record.config, key=lambda key: ORDER.index(key) if key in ORDER else len(ORDER)):
        yield key, axis_label(record.config[key], key if key in AXES else None, all_parameters=True)


def _figures(record: Record) -> Iterator[tuple[str, str]]:
    result = record.result
    yield from (
        ("train", _metrics(result.train)),
        ("validation", _metrics(result.validation)),
        ("test", _metrics(result.test)),
        (
            "epochs run",
            f"{result.epochs_run}" + (f", weights of epoch {result.best_epoch}" * bool(result.best_epoch)),
        ),
    )
    for rung in (record.pruning or {}).get("decisions", []):
        yield "rung", f"epoch {rung['epoch']}: validation {100 * rung['val_accuracy']:.2f} %, {rung['decision']}"


def _metrics(metrics: Metrics | None) -> str:
    """Accuracy and loss, which are told of every epoch; the others have a table of their own."""
    return ", ".join(f"{name} {_figure(name, metrics[name])}" for name in FIRST if metrics and name in metrics)


def _further(record: Record) -> list[str]:
    """A line per further metric, a column per part."""
    parts = {"train": record.result.train, "validation": record.result.validation, "test": record.result.test}
    there = {part: found for part, found in parts.items() if found}
    names = [name for name in METRICS if name not in FIRST and any(name in found for found in there.values())]
    columns = [["", *names]]
    columns += [
        [part, *(_figure(name, found[name]) if name in found else "" for name in names)]
        for part, found in there.items()
    ]
    return ["", *_aligned(columns)] if names else []


def _figure(name: str, value: float) -> str:
    """In percent, or as it is."""
    return f"{100 * value:.2f} %" if METRICS[name].percent else f"{value:.4f}"


def _cost(measured: RunInfo) -> Iterator[tuple[str, str]]:
    sizes = ((measured.parameters, "parameters"), (measured.flops, "FLOPs per image"))
    yield "network", ", ".join(f"{size:,} {what}" for size, what in sizes if size is not None)
    yield "seconds", f"{measured.train_seconds:.1f} training, {measured.evaluation_seconds:.1f} evaluation"
    if measured.peak_memory_bytes is not None:
        yield "peak memory", f"{measured.peak_memory_bytes / 2**20:,.0f} MiB"
    threads = f"{measured.threads} thread{'s' * (measured.threads != 1)}" if measured.threads is not None else ""
    yield "machine", ", ".join(filter(None, [measured.device, threads]))
    yield "versions", ", ".join(f"{name} {version}" for name, version in measured.versions.items())
    yield "git commit", measured.git_commit or ""
    yield "when", " to ".join(filter(None, [measured.started, measured.finished]))


def _curves(record: Record) -> list[str]:
    """A column per curve, a line per epoch; accuracies in percent."""
    columns = [[name, *(_point(name, value) for value in curve)] for name, curve in record.result.curves.items()]
    length = max(map(len, columns))
    return _aligned([["epoch", *map(str, range(1, length))], *columns])


def _aligned(columns: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in columns]
    return [
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in zip_longest(*columns, fillvalue="")
    ]


def _point(name: str, value: float | None) -> str:
    if value is None:
        return "not finite"
    return f"{100 * value:.2f} %" if name.endswith("accuracy") else f"{value:.5g}"


def _failure(failure: dict[str, str]) -> list[str]:
    head = ": ".join(filter(None, [failure.get("kind"), failure.get("message")]))
    printed = failure.get("printed", "").rstrip()
    last = f"The last that it printed:\n{printed}" if printed else ""
    return list(filter(None, [head, failure.get("traceback", "").rstrip(), last]))
