"""What may be named in a suite file, a line each."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from bench.suite.components import AXES, Entry
from bench.suite.errors import UserError, nearest

KINDS = {
    "models": "model",
    "optimizers": "optimizer",
    "regularizers": "regularizer",
    "augmentations": "augmentation",
    "schedules": "schedule",
    "losses": "loss",
    "preprocessings": "preprocessing",
    "datasets": "dataset",
}


def listing(kind: str, pattern: str = "*") -> Iterator[str]:
    """Lines for `bench list KIND`; models and optimizers add the libraries' names when a pattern is given."""
    if kind == "suites":
        from bench.suite.suite import shipped_suites

        yield from (f"{name}  {path}" for name, path in shipped_suites().items() if fnmatch.fnmatch(name, pattern))
    elif kind == "published":
        from bench.published import load

        for reference in load():
            if fnmatch.fnmatch(reference.id, pattern):
                yield f"{reference.id}  {reference.dataset}  {reference.model}  {reference.metric} {reference.value}"
    elif kind in KINDS:
        axis = KINDS[kind]
        yield from (_entry(name, entry) for name, entry in AXES[axis].items() if fnmatch.fnmatch(name, pattern))
        yield from _libraries(kind, pattern)
    else:
        kinds = [*KINDS, "suites", "published"]
        hint = nearest(kind, kinds)
        raise UserError(f"list {kind}: allowed: {', '.join(kinds)}" + (f"\n  {hint}" if hint else ""))


def _entry(name: str, entry: type[Entry]) -> str:
    parameters = ", ".join(
        f"{key}={field.default!r}" for key, field in entry.model_fields.items() if key != "name"
    )
    return f"{name}({parameters})  {' '.join((entry.__doc__ or '').split())}"


def _libraries(kind: str, pattern: str) -> Iterator[str]:
    if kind not in ("models", "optimizers"):
        return
    if pattern == "*":
        yield f"... and by name what the libraries have: `bench list {kind} 'r*'` shows those that match"
        return
    if kind == "models":
        import timm

        yield from (f"{name}  (timm)" for name in timm.list_models(pattern))
    else:
        from bench.training.optimizers import names

        yield from (f"{name}  (torch or timm)" for name in names() if fnmatch.fnmatch(name, pattern))
