"""How long the tests with made-up input look: BENCH_FUZZ=100 makes each try a hundred times as much."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("BENCH_FUZZ", "1"))
