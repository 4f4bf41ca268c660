"""One record, for people."""

from __future__ import annotations

from bench.ledger.record import Record
from bench.suite.labels import axis_label
from bench.suite.schema import AXIS_ORDER


def record_text(record: Record, replicates: int = 0) -> str:
    """A trial's configuration, figures, cost and curves as lines of text."""
    result, measured = record.result, record.measured
    lines = [f"{record.key}  {record.status}, seed {record.seed}" + (f", suite {record.suite}" if record.suite else "")]
    for key in (*AXIS_ORDER, *(k for k in record.config if k not in AXIS_ORDER)):
        lines.append(f"  {key:<15} {axis_label(record.config[key], key if key in AXIS_ORDER else None)}")
    for part in ("train", "validation", "test"):
        figures = getattr(result, part)
        if figures:
            lines.append(f"  {part:<15} " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    chosen = f", weights of epoch {result.chosen_epoch}" if result.chosen_epoch else ""
    lines.append(f"  {'epochs run':<15} {result.epochs_run}{chosen}")
    if measured.parameters is not None and measured.flops is not None:
        lines.append(f"  {'network':<15} {measured.parameters:,} parameters, {measured.flops:,} FLOPs per picture")
    lines.append(
        f"  {'seconds':<15} {measured.train_seconds:.1f} training, {measured.evaluation_seconds:.1f} evaluation"
    )
    if measured.device:
        lines.append(f"  {'machine':<15} {measured.device}, {measured.threads} threads")
        lines.append(f"  {'versions':<15} " + ", ".join(f"{k} {v}" for k, v in measured.versions.items()))
    lines.append(f"  {'when':<15} {measured.started} to {measured.finished}")
    if record.pruning:
        steps = [f"epoch {d['epoch']}: {d['val_accuracy']:.4f} {d['decision']}" for d in record.pruning["decisions"]]
        lines.append(f"  {'rungs':<15} " + "; ".join(steps))
    if replicates:
        lines.append(f"  {'replicates':<15} {replicates} more complete runs of the same key")
    names = list(result.curves)
    if names and result.epochs_run:
        lines.append("  epoch  " + "  ".join(f"{name:>14}" for name in names))
        for epoch in range(result.epochs_run):
            values = [result.curves[name][epoch] for name in names]
            lines.append(f"  {epoch + 1:>5}  " + "  ".join("not finite".rjust(14) if v is None else f"{v:14.6g}" for v in values))
    if record.failure:
        lines += [f"  {record.failure['kind']}: {record.failure['message']}", record.failure["traceback"].rstrip()]
    return "\n".join(lines)
