"""Ray's settings for our runs; it reads them when it is imported, so this file imports nothing of it."""

from __future__ import annotations

from collections.abc import MutableMapping

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours: the ledger is the state, nothing needs saving
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # resume is a new Tuner over what the ledger lacks
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # what we report is for the board, not for Tune
    "TUNE_WARN_THRESHOLD_S": "100",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Trials are threads of Ray's workers, and a thread's own arena cannot keep large blocks that were freed; the main
    # one can (`bench.training.machine`). glibc reads this when a worker starts.
    "MALLOC_ARENA_MAX": "1",
    # A trial of several workers needs processes enough of its own; when a node goes, it is tried again.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
}

NOT_OURS = ("TUNE_", "RAY_TUNE_", "RAY_AIR_", "RAY_TRAIN_", "TRAIN_PLACEMENT_GROUP_", "TRAIN_ENABLE_")
"""What the names of Ray Tune's and Ray Train's settings begin with.

Runs are built on how these two work, and a setting from the user's shell, made for another program, would change that:
RAY_AIR_NEW_OUTPUT=1 lets a run hang, strict checking of metrics ends it, a result buffer hides epochs from pruning.
Ray's own settings (memory, ports, timeouts) are the machine's, and stay as the user has them.
"""


def settle(environment: MutableMapping[str, str]) -> None:
    """Set what bench needs, whatever the user's shell says, and take out what else it says of Tune and Train."""
    for name in list(environment):
        if name.startswith(NOT_OURS):
            del environment[name]
    environment.update(SETTINGS)
