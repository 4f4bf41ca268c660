"""Imported predictions of other frameworks as records: their config, their key, and that they cannot be run."""

from __future__ import annotations

import hashlib
import json

from bench.errors import UserError
from bench.jsonutil import JsonObject
from bench.ledger.record import Record

EXTERNAL = "added"
"""The key that marks the config of imported predictions."""


def external_config(name: str, dataset: JsonObject) -> JsonObject:
    """The config of imported predictions: a name and a data set; how they were trained is unknown."""
    return {"dataset": dataset, "model": {"name": name}, EXTERNAL: {"name": name}}


def is_external(config: JsonObject) -> bool:
    """Whether a config is of imported predictions, whose protocol is unknown and which cannot be run."""
    return EXTERNAL in config


def external_key(config: JsonObject, fingerprint: str, seed: int | None) -> str:
    """Twenty hex digits for a name, a data set and a seed; without a seed, the config_key."""
    text = json.dumps([EXTERNAL, config, fingerprint, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def check_runnable(record: Record) -> None:
    """UserError for imported predictions: how they were trained is unknown."""
    if is_external(record.config):
        raise UserError(
            f"{record.key}: {record.config['model']['name']!r} was added from its predictions (`bench import`); "
            "how it was trained is unknown, so it cannot be run again"
        )
