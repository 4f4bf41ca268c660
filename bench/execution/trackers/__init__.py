"""Trials at the trackers that people already use, while a run goes on or from a ledger afterwards; one file each.

- `tracker`: what a tracker does, what it is told of a trial, and where `--log` says that it is
- `tracking`: the thread that feeds a tracker, its place next to a run's display, and the same from a ledger
- `tensorboard_files`, `mlflow_runs`, `wandb_runs`: the trackers
"""
