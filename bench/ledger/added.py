"""Rows that were not trained here: test predictions of any framework, as records of their own kind."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from bench.ledger.record import Record
from bench.suite.errors import UserError

ADDED = "added"
"""The key of a config that only such rows have; its value says what is known of them."""


def added_config(name: str, dataset: dict[str, Any]) -> dict[str, Any]:
    """The config of an added row: a name and a data set, and nothing of how it was trained."""
    return {"dataset": dataset, "model": {"name": name}, ADDED: {"name": name}}


def is_added(config: dict[str, Any]) -> bool:
    """Whether a config is that of a row that was added, so that its protocol is unknown and it cannot be run."""
    return ADDED in config


def added_key(config: dict[str, Any], fingerprint: str, seed: int | None) -> str:
    """Twenty hex digits for a name, a data set and a seed; without a seed, of the configuration."""
    text = json.dumps([ADDED, config, fingerprint, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def check_runnable(record: Record) -> None:
    """UserError for an added row: nobody knows how it was trained."""
    if is_added(record.config):
        raise UserError(
            f"{record.key}: {record.config['model']['name']!r} was added from its predictions (`bench add`); "
            "how it was trained is not known here, so it cannot be run again"
        )
