"""Every message that a suite file can cause, with the file that causes it; `tests/test_mistakes.py` shows them all."""

from __future__ import annotations

from mistakes import (
    combinations,
    libraries,
    limits,
    own_data,
    own_models,
    parameters,
    protocol,
    references,
    structure,
    text,
)
from mistakes.row import Mistake, plain

ALONE = (text, structure, parameters, protocol, combinations, references, limits, libraries)
ACCOMPANIED = (own_models, own_data)


def _named(module: object, rows: dict[str, Mistake]) -> dict[str, Mistake]:
    kind = str(vars(module)["__name__"]).removeprefix("mistakes.").replace("_", " ")
    return {f"{kind}: {name}": mistake for name, mistake in rows.items()}


TABLE: dict[str, Mistake] = {}
for _module in ALONE:
    TABLE |= _named(_module, plain(_module.ROWS))
for _module in ACCOMPANIED:
    TABLE |= _named(_module, _module.ROWS)
