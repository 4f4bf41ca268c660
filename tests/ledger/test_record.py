"""Records to JSON and back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from bench.ledger.record import SCHEMA, Predictions, Record


def test_a_record_survives_json(make_record):
    record = make_record(status="pruned", rule={"name": "asha", "eta": 3})
    assert Record.from_json(record.to_json()) == record


def test_a_record_of_an_older_version_that_lacks_an_optional_field_is_read(make_record):
    data = make_record().to_json()
    del data["suite"], data["measured"]["git_commit"]
    assert Record.from_json(data) == make_record()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": SCHEMA + 1}, f"record of schema {SCHEMA + 1}, this version reads up to {SCHEMA}"),
        ({"schema": "one"}, "no schema number"),
        ({"status": "done"}, "status 'done', allowed are complete"),
        ({"key": 7}, "wrong type"),
        ({"surprise": 1}, "surprise"),
        ({"result": None}, "not a record"),
    ],
)
def test_what_is_not_a_record_is_refused(make_record, change, message):
    with pytest.raises(ValueError, match=message):
        Record.from_json({**make_record().to_json(), **change})


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
