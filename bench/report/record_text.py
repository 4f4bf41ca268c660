"""What is in one record? Its configuration, metrics, cost and curves as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from bench.components import AXES
from bench.components.data_questions import SEVERITIES
from bench.ledger.record import Metrics, Record, RunInfo
from bench.metrics import METRICS
from bench.suite.labels import ORDER, axis_label

WIDTH = 15
FIRST = ("accuracy", "loss")


def record_text(record: Record, replicates: int = 0) -> str:
    """A trial's configuration, metrics, cost and curves as lines of text.

    Parameters
    ----------
    record
        Of any status; what it does not hold gets no line.
    replicates
        How many more finished records the ledger holds of the same key.
    """
    suite = f", suite {record.suite}" if record.suite else ""
    lines = [f"{record.key}  {record.status}, seed {record.seed}{suite}"]
    pairs = [*_configuration(record), *_results(record), *_cost(record.run_info)]
    if replicates:
        pairs.append(("replicates", f"{replicates} more finished with the same key"))
    lines += [f"  {name.ljust(WIDTH)} {text}" for name, text in pairs if text]
    lines += _further(record)
    lines += ["", *_robustness(record)] if record.result.robustness else []
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
    return _value("accuracy", metrics["accuracy"]) if metrics and "accuracy" in metrics else ""


def _configuration(record: Record) -> Iterator[tuple[str, str]]:
    for key in sorted(record.config, key=lambda key: ORDER.index(key) if key in ORDER else len(ORDER)):
        yield key, axis_label(record.config[key], key if key in AXES else None, all_parameters=True)


def _results(record: Record) -> Iterator[tuple[str, str]]:
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
    if record.search:
        rule, position = record.search["rule"], record.search["number"]
        by_results = rule["algorithm"] != "random" and position >= (rule.get("startup") or 0)
        how = f"proposed by {rule['algorithm']}" if by_results else "a random draw"
        yield "search", f"number {position + 1}, {how}"
    for decision in (record.pruning or {}).get("decisions", []):
        yield (
            "rung",
            f"epoch {decision['epoch']}: validation {100 * decision['val_accuracy']:.2f} %, {decision['decision']}",
        )


def _metrics(metrics: Metrics | None) -> str:
    """Accuracy and loss, which every epoch has; the others have a table of their own."""
    return ", ".join(f"{name} {_value(name, metrics[name])}" for name in FIRST if metrics and name in metrics)


def _further(record: Record) -> list[str]:
    """A line per further metric, a column per part."""
    parts = {"train": record.result.train, "validation": record.result.validation, "test": record.result.test}
    measured = {part: metrics for part, metrics in parts.items() if metrics}
    names = [name for name in METRICS if name not in FIRST and any(name in metrics for metrics in measured.values())]
    columns = [["", *names]]
    columns += [
        [part, *(_value(name, metrics[name]) if name in metrics else "" for name in names)]
        for part, metrics in measured.items()
    ]
    return ["", *_aligned(columns)] if names else []


def _robustness(record: Record) -> list[str]:
    """A line per corruption with the test accuracy at each severity."""
    by_name = record.result.robustness or {}
    columns = [["test accuracy under", *(name.replace("_", " ") for name in by_name)]]
    columns += [
        [f"severity {severity}", *(f"{100 * accuracies[severity - 1]:.2f} %" for accuracies in by_name.values())]
        for severity in SEVERITIES
    ]
    return _aligned(columns)


def _value(name: str, value: float) -> str:
    """In percent, or as it is."""
    return f"{100 * value:.2f} %" if METRICS[name].percent else f"{value:.4f}"


def _cost(run_info: RunInfo) -> Iterator[tuple[str, str]]:
    if run_info.train_images is not None:
        wrong = f", {run_info.wrong_labels:,} of their labels wrong" if run_info.wrong_labels else ""
        yield "trained on", f"{run_info.train_images:,} images{wrong}"
    sizes = ((run_info.parameters, "parameters"), (run_info.flops, "FLOPs per image"))
    yield "network", ", ".join(f"{size:,} {what}" for size, what in sizes if size is not None)
    yield "seconds", f"{run_info.train_seconds:.1f} training, {run_info.evaluation_seconds:.1f} evaluation"
    if run_info.images_per_second is not None:
        yield "inference", f"{run_info.images_per_second:,.0f} test images per second"
    if run_info.peak_memory_bytes is not None:
        yield "peak memory", f"{run_info.peak_memory_bytes / 2**20:,.0f} MiB"
    threads = f"{run_info.threads} thread{'s' * (run_info.threads != 1)}" if run_info.threads is not None else ""
    yield "machine", ", ".join(filter(None, [run_info.device, threads]))
    yield "versions", ", ".join(f"{name} {version}" for name, version in run_info.versions.items())
    yield "git commit", run_info.git_commit or ""
    yield "when", " to ".join(filter(None, [run_info.started, run_info.finished]))


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
