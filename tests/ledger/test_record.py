"""Records to JSON and back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bench.ledger.record import SCHEMA, Record
from bench.metrics import Predictions


def test_a_record_survives_json(make_record):
    record = make_record(status="pruned", rule={"name": "asha", "eta": 3})
    assert Record.from_json(record.to_json()) == record


def test_a_record_of_an_older_version_that_lacks_an_optional_field_is_read(make_record):
    data = make_record().to_json()
    del data["suite"], data["run_info"]["git_commit"]
    assert Record.from_json(data) == make_record()


CONFIG = {"dataset": {"name": "mnist"}, "model": {"name": "mlp"}}


def deep(levels):
    return [deep(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": SCHEMA + 1}, f"record of schema {SCHEMA + 1}, this version of bench reads schema {SCHEMA}"),
        ({"schema": "one"}, "no schema number"),
        ({"status": "done"}, "status 'done', allowed are complete"),
        ({"key": 7}, "7 as key, where text belongs"),
        ({"surprise": 1}, "surprise"),
        ({"result": None}, "not a record"),
        ({"result": {}}, "not a record"),
        ({"seed": True}, "True as seed, where a count belongs"),
        ({"seed": 2**63}, "as seed, where a count belongs"),
        ({"suite": "\x1b[31mred"}, r"control character '\\x1b'"),
        ({"suite": "two\nlines"}, r"control character '\\n'"),
        ({"key": "a\tb"}, r"control character '\\t'"),
        ({"config": {**CONFIG, "model": {"name": "mlp\n| 99 |"}}}, r"control character '\\n'"),
        ({"config": {**CONFIG, "a\tb": 1}}, r"control character '\\t'"),
        ({"failure": {"kind": "a\nb"}}, r"control character '\\n'"),
        ({"failure": {"a\nb": ""}}, r"control character '\\n'"),
        ({"config_key": "a\x00"}, r"control character '\\x00'"),
        ({"failure": {"message": "caf\udce9"}}, r"control character '\\udce9'"),
        ({"failure": {"message": 1}}, "as failure, where texts belong"),
        ({"failure": {"\x9b": ""}}, r"control character '\\x9b'"),
        ({"pruning": []}, "as pruning, where a rule with decisions belongs"),
        ({"pruning": {"decisions": [{"epoch": 1}]}}, "as pruning"),
        ({"config": {}}, "None as config.dataset, where a component belongs"),
        ({"config": {"dataset": ["mnist"], "model": {"name": "mlp"}}}, "as config.dataset, where a component belongs"),
        ({"config": {"dataset": {"name": "mnist"}}}, "None as config.model, where a component belongs"),
        ({"config": {"dataset": {"name": "mnist"}, "model": {"hidden": [1]}}}, "as config.model"),
        ({"config": {"dataset": {"name": "npz", "path": 3}, "model": {"name": "mlp"}}}, "as config.dataset.path"),
        ({"config": {**CONFIG, "optimizer": "adam"}}, "'adam' as config.optimizer, where components belong"),
        ({"config": {**CONFIG, "regularizer": [["l2"]]}}, "as config.regularizer, where components belong"),
        ({"config": {**CONFIG, "epochs": [5]}}, "as config.epochs, where a count belongs"),
        ({"config": {**CONFIG, "batch_size": 0}}, "0 as config.batch_size"),
        ({"config": {**CONFIG, "validation": {"name": []}}}, "where a name belongs"),
        ({"config": {**CONFIG, "ema": 1e999}}, "a number that is too large"),
        ({"config": {**CONFIG, "model": {"name": "a.py:net", "x": deep(40)}}}, "more than 30 levels deep"),
    ],
)
def test_what_is_not_a_record_is_refused(make_record, change, message):
    with pytest.raises(ValueError, match=message):
        Record.from_json({**make_record().to_json(), **change})


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("result", {"curves": {"val_loss": [1.0, "2"]}}, "as result.curves, where curves of numbers belong"),
        ("result", {"curves": {"val_loss": [1.0, float("inf")]}}, "as result.curves"),
        ("result", {"curves": {"val_loss": [1.0, 10**400]}}, "as result.curves"),
        ("result", {"curves": {"\x1b": [1.0]}}, "control character"),
        ("result", {"curves": [1.0]}, "as result.curves"),
        ("result", {"epochs_run": -1}, "-1 as result.epochs_run, where a count belongs"),
        ("result", {"test": {"accuracy": 7.3}}, "as result.test, where metrics belong"),
        ("result", {"test": {"accuracy": None}}, "as result.test"),
        ("result", {"classes": ["a", "\x1b]0;title\x07"]}, "control character"),
        ("result", {"classes": ["a", "b\nc"]}, r"control character '\\n'"),
        ("result", {"curves": {"a\tb": [1.0]}}, r"control character '\\t'"),
        ("run_info", {"device": "a\nb"}, r"control character '\\n'"),
        ("run_info", {"versions": {"torch": "2\n"}}, r"control character '\\n'"),
        ("result", {"classes": "ab"}, "as result.classes, where names of classes belong"),
        ("run_info", {"device": "\x1b[2J"}, "control character"),
        ("run_info", {"versions": {"torch": 2}}, "as run_info.versions, where texts belong"),
        ("run_info", {"train_seconds": -1}, "as run_info.train_seconds, where seconds belong"),
        ("run_info", {"parameters": 1.5}, "1.5 as run_info.parameters, where a count belongs"),
        ("run_info", {"finished": None}, "as run_info.finished, where text belongs"),
    ],
)
def test_what_no_part_of_a_record_holds_is_refused(make_record, part, change, message):
    data = make_record().to_json()
    with pytest.raises(ValueError, match=message):
        Record.from_json({**data, part: {**data[part], **change}})


@pytest.mark.parametrize("text", ["Ω mega", "日本語", "🙂", r"\x1b[31m"])
def test_any_text_that_can_be_shown_is_read_as_it_is(make_record, text):
    lines = f"{text}\n\t{text}"
    record = replace(make_record(), suite=text, failure={"message": lines, "traceback": lines, "printed": lines})
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_a_missing_part_is_not_a_traceback(make_record):
    for part in ("result", "run_info", "config"):
        data = make_record().to_json()
        del data[part]
        with pytest.raises(ValueError, match=f"lacks {part}"):
            Record.from_json(data)


def test_a_missing_field_is_named(make_record):
    data = make_record().to_json()
    del data["seed"]
    with pytest.raises(ValueError, match="lacks seed"):
        Record.from_json(data)


def test_predictions_must_be_of_one_length(predictions):
    with pytest.raises(ValueError, match="one length"):
        Predictions(**{**vars(predictions), "true_rank": np.zeros(3, np.uint8)})


def test_predictions_must_have_the_stored_types(predictions):
    with pytest.raises(ValueError, match="predicted is int64"):
        Predictions(**{**vars(predictions), "predicted": predictions.predicted.astype(np.int64)})
