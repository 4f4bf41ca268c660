"""`UserError`, which is reported without a traceback, and parts of messages: hints, plurals, short and escaped text.

Some characters may stand in no name, and are escaped where they are displayed: what a terminal obeys, what turns the
direction of a line or ends it unseen, and what UTF-8 or XML has no form for spoils a screen, a table's row or a chart.
Line breaks and tabs are allowed in texts of several lines only, such as a traceback.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_OF_LINES = re.compile("[\t\n]")


def control_character(text: str, *, one_line: bool = False) -> str | None:
    """The first such character in a text; with `one_line`, as for names, line breaks and tabs count too."""
    match = _CONTROL.search(text) or (_OF_LINES.search(text) if one_line else None)
    return match[0] if match else None


def escaped(text: str) -> str:
    r"""The text with each of them written out, as ``\x1b`` or ``\u202e``."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def escaped_line(text: str) -> str:
    """The same for a single line, such as the name of a file: line breaks and tabs are escaped too."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")


class UserError(Exception):
    """A mistake that the user can correct: a wrong file, name, value or missing data.

    The message says what, where, what was found, what is allowed and what to do next.
    The command line prints it as it is and ends with exit code 2.
    """


@dataclass(frozen=True)
class Problem:
    """One mistake in a suite file.

    `path` is the key path as a person would write it (``grid.optimizer[0].lr``), `line` counts from 1.
    """

    path: str
    message: str
    line: int | None = None
    hint: str = ""

    def location(self, file: str) -> str:
        """``FILE:LINE: KEY PATH``, as far as they are known."""
        line = f"{file}:{self.line}" if self.line else file
        return f"{line}: {self.path}" if self.path else line

    def text(self, file: str) -> str:
        hint = "".join(f"\n  {line}" for line in self.hint.splitlines())
        return f"{self.location(file)}: {self.message}{hint}"


MAX_PROBLEMS = 20
"""Most problems that are printed; correcting these often corrects others."""


class SuiteError(UserError):
    """A suite file that cannot be run, with all its problems."""

    def __init__(self, file: str, problems: Iterable[Problem]):
        self.file = file
        self.problems = tuple(problems)
        lines = [problem.text(file) for problem in self.problems[:MAX_PROBLEMS]]
        if len(self.problems) > MAX_PROBLEMS:
            lines.append(f"... and {len(self.problems) - MAX_PROBLEMS:,} more problems")
        super().__init__("\n".join(lines))


SYNONYMS = {
    "learning_rate": "lr",
    "initial_lr": "lr",
    "wd": "weight_decay",
    "dropout_rate": "dropout rate",
    "units": "hidden",
    "filters": "channels",
    "net": "model",
    "network": "model",
    "arch": "model",
    "architecture": "model",
    "data": "dataset",
    "optim": "optimizer",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "transform": "augmentation",
    "transforms": "augmentation",
    "normalization": "preprocessing",
    "criterion": "loss",
    "loss_fn": "loss",
    "bs": "batch_size",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "random_state": "seeds",
    "repeats": "seeds",
    "grace": "grace_period",
    "reduction": "reduction_factor",
    "eta": "reduction_factor",
    "n_trials": "samples",
    "num_samples": "samples",
    "val_split": "validation",
    "validation_split": "validation",
    "amp": "precision",
    "dtype": "precision",
    "world_size": "workers",
    "ce": "cross_entropy",
    "nll": "cross_entropy log_loss",
    "auc": "auroc",
    "roc_auc": "auroc",
    "brier": "brier_score",
    "bce": "binary_cross_entropy",
    "mse": "mean_squared_error",
    "hflip": "flip",
    "horizontal_flip": "flip",
    "random_horizontal_flip": "flip",
    "random_crop": "crop",
    "multistep": "step",
    "cosine_annealing": "cosine",
    "fmnist": "fashion_mnist",
    "fashion": "fashion_mnist",
    "null": "none",
    "none": "constant unit",
}
"""Names in other tools, and frequent mistakes, to names in suite files; the first allowed name is suggested."""


def plural(count: int, noun: str) -> str:
    """``1 trial``, ``1,000 trials``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def match_spelling(name: str, names: Iterable[str]) -> str:
    """The one of `names` that is equal up to case, hyphens and underscores (Fashion-MNIST), else `name` itself."""

    def bare(text: str) -> str:
        return text.strip().lower().replace("-", "").replace("_", "")

    return next((known for known in names if bare(known) == bare(name)), name)


def nearest(value: object, allowed: Iterable[str]) -> str:
    """The hint ``did you mean 'x'?``, or "" where no allowed name is similar."""
    names = list(allowed)
    normalized = str(value).lower().replace("-", "_").replace(" ", "_")
    if synonyms := [name for name in SYNONYMS.get(normalized, "").split() if name in names]:
        return f"did you mean {synonyms[0]!r}?"
    match = difflib.get_close_matches(str(value).lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if not match:
        return ""
    return next(f"did you mean {n!r}?" for n in names if n.lower() == match[0])


def shorten(value: Any) -> str:
    """A value in YAML, at most 60 characters."""
    if value is None:
        return "an empty value"
    text = repr(value) if isinstance(value, str) else flow(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def flow(value: Any) -> str:
    """One line of YAML; JSON is YAML, and quotes around plain words are left out."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return value if value.replace("_", "").isalnum() else repr(value)
    return json.dumps(value)
