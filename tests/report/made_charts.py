"""Comparisons made up for the charts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from made_ledger import BASE, FLIP, L2, Ledger, config

from bench.published.reference_data import Reference
from bench.report import build
from bench.report.charts.drawing import specification
from bench.report.comparison import Comparison
from bench.report.document import Chart, OmittedChart
from bench.report.sections import SECTIONS

HOSTILE = "</script><script>alert(1)</script>"


def comparison(ledger: Ledger, references: list[Reference] | None = None) -> Comparison:
    return build(ledger.records, ledger.predictions, title="Charts", references=references or []).comparisons[0]


def grid() -> Ledger:
    """Two models by two augmentations, three seeds each, of different cost, with both losses."""
    made = Ledger()
    wide = {**BASE["model"], "hidden": [512]}
    for model, parameters in ((BASE["model"], 100_000), (wide, 400_000)):
        for augmentation, seconds in (([], 10.0), (FLIP, 20.0)):
            better = 0.02 * (model is wide) + 0.01 * bool(augmentation)
            start = len(made.records)
            made.add(config(model=model, augmentation=augmentation), [0.85 + better, 0.852 + better, 0.854 + better])
            for place in range(start, len(made.records)):
                costing(made, place, parameters, seconds * parameters / 100_000)
    return made


def costing(ledger: Ledger, place: int, parameters: int, seconds: float) -> None:
    """Give a record these costs, and losses of which validation's is least in epoch 3."""
    record = ledger.records[place]
    curves = {**record.result.curves, "train_loss": [0.9, 0.7, 0.5, 0.4, 0.3], "val_loss": [0.9, 0.7, 0.6, 0.65, 0.7]}
    measured = replace(record.run_info, parameters=parameters, parameters_trainable=parameters, train_seconds=seconds)
    ledger.records[place] = replace(record, result=replace(record.result, curves=curves), run_info=measured)


def pruned(made: Ledger) -> Ledger:
    """With two trials that were stopped at rungs."""
    for number, epoch in enumerate((1, 2)):
        slow = {**BASE["optimizer"], "lr": 10.0 ** -(5 + number)}
        decisions = [{"epoch": at, "val_accuracy": 0.4, "decision": "stop" if at == epoch else "continue"}
                     for at in range(1, epoch + 1)]  # fmt: skip
        made.add_ended(config(optimizer=slow, regularizer=L2), 0, "pruned", epoch,
                       pruning={"rule": {"grace_period": 1}, "decisions": decisions})  # fmt: skip
        record = made.records[-1]
        curves = {"val_accuracy": [0.3, 0.4][:epoch]}
        made.records[-1] = replace(record, result=replace(record.result, curves=curves))
    return made


def drawn(of: Comparison) -> list[Chart | OmittedChart]:
    return [one for section in SECTIONS for one in section(of).drawn]


def chart(of: Comparison, name: str) -> Chart:
    return next(one for one in drawn(of) if isinstance(one, Chart) and one.name == name)


def why_omitted(of: Comparison) -> dict[str, str]:
    return {one.title: one.reason for one in drawn(of) if isinstance(one, OmittedChart)}


def rows(figure: Chart) -> list[dict[str, Any]]:
    """Everything that the specification holds as data."""
    return [row for data in specification(figure)["datasets"].values() for row in data]
