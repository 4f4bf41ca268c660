"""What was verified, as a file next to a ledger, and the word for it in a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from bench.errors import UserError
from bench.ledger.entries import LedgerEntry
from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.statistics.intervals import binomial_noise
from bench.statistics.versus_published import agreement
from bench.verification.check_entry import EntryCheck

FORMAT = "bench verification 1"

State = Literal["repeated here", "repeated elsewhere", "recomputed", "claimed"]
STATES: dict[State, str] = {
    "repeated here": "trained again by those who run this leaderboard, with the same result",
    "repeated elsewhere": "the same trial was run on another machine, with the same result within noise",
    "recomputed": "metrics recomputed from the stored probabilities; checksum, labels and protocol checked",
    "claimed": "nothing of it was checked",
}
"""From the strongest to the weakest, with what each means."""


@dataclass(frozen=True)
class Verified:
    """What was verified of an entry without a problem, by its file's name, which has a digest of its content."""

    key: str
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]
    repeated: str = ""
    """What running it again gave, with the machine; nothing if it was not."""


def read_verified(path: Path) -> dict[str, Verified]:
    """The file's content by entry name; UserError where it is something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}")
        return {
            name: Verified(item["key"], tuple(item["checked"]), tuple(item["unchecked"]), item["repeated"])
            for name, item in content["entries"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of `bench verify --write`: {error}") from error


def verified_text(known: dict[str, Verified], checks: Iterable[EntryCheck], repeated: dict[str, str]) -> str:
    """The file's text: what was known, and these checks; one with a problem is left out, and no longer known."""
    entries = dict(known)
    for check in checks:
        if check.problems or check.record is None:
            entries.pop(check.name, None)
            continue
        before = known[check.name].repeated if check.name in known else ""
        entries[check.name] = Verified(
            check.record.key, tuple(check.checked), tuple(check.unchecked), repeated.get(check.name, before)
        )
    content = {"format": FORMAT, "entries": {name: asdict(entries[name]) for name in sorted(entries)}}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


class RecordSource(Protocol):
    """What the state of a record is read from: a ledger, or several read as one."""

    def entries_of(self, key: str) -> list[LedgerEntry]: ...
    def replicates(self, key: str) -> list[Record]: ...
    def predictions(self, key: str) -> Predictions: ...


def state_of(ledger: RecordSource, record: Record, verified: Mapping[str, Verified]) -> State:
    """How far a record was verified, by the file and the ledger's replicates of it."""
    names = [stored.name for stored in ledger.entries_of(record.key)]
    by_name = [verified[name] for name in names if name in verified]
    if any(item.repeated for item in by_name):
        return "repeated here"
    replicates = ledger.replicates(record.key)
    if replicates:
        images = len(ledger.predictions(record.key).labels)
        if any(_agrees(record, other, images) for other in replicates):
            return "repeated elsewhere"
    counted = bool(names) and names[0] in verified and "metrics" in verified[names[0]].checked
    return "recomputed" if counted else "claimed"


def weakest(states: Iterable[State]) -> State:
    """That of the seed of a configuration of which least is known."""
    order = list(STATES)
    return max(states, key=order.index, default="claimed")


def _agrees(record: Record, other: Record, images: int) -> bool:
    """Whether the same trial has the same accuracy within noise on another machine."""
    first, second = (record.result.test or {}).get("accuracy"), (other.result.test or {}).get("accuracy")
    if first is None or second is None or record.run_info.device == other.run_info.device:
        return False
    return agreement(first, 1, second, binomial_noise(1 - first, images)).position == "within"
