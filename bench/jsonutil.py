"""Plain data as YAML and JSON files hold it, and canonical JSON."""

from __future__ import annotations

import json
from typing import Any

JsonObject = dict[str, Any]
"""A mapping of a suite file, a key or a record: text to null, boolean, number, text, list or mapping."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
