"""Merging: what a ledger lacks of others is copied into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.errors import UserError
from bench.ledger.entries import DamagedEntryError, check_digest, decode
from bench.ledger.packed_ledger import open_source
from bench.ledger.store import (
    ENTRIES,
    UNEXPECTED_REASON,
    EntrySource,
    Location,
    Store,
    StoredFile,
    entry_location,
    list_entries,
    open_store,
    put_entry,
    read_entries,
)
from bench.ledger.weights_files import WeightsFile, list_weights, read_file


@dataclass
class MergeSummary:
    """Numbers of copied entries, of entries that were present and of copied weights; damaged files with the reason."""

    copied: int = 0
    present: int = 0
    weights: int = 0
    damaged: list[tuple[Location, str]] = field(default_factory=list)


def merge_ledgers(sources: Iterable[Location | Store], into: Location | Store) -> MergeSummary:
    """Copy into the ledger `into` every entry of `sources` that it lacks, with its weights.

    A source may be a file of `write_pack`. Entries are content-addressed and their precedence depends only on their
    content, so the order does not matter and existing entries do not change. Damaged entries are not copied; a damaged
    one in `into` is replaced by an intact one, so entries of both ledgers are read in `into`. Raises UserError where a
    source is no ledger or `into` cannot be written.
    """
    stores = [open_source(source) for source in sources]
    for store in stores:
        if not store.check():
            raise UserError(f"{store.root}: nothing to merge: there is no ledger here (no folder `{ENTRIES}`)")
    target = open_store(into)
    target.check()
    present, intact = list_entries(target).entries, set[str]()
    present_weights, intact_weights = {file.name for file in list_weights(target)}, set[str]()
    summary = MergeSummary()
    for store in stores:
        listing = list_entries(store)
        summary.damaged += [(stranger, UNEXPECTED_REASON) for stranger in listing.unexpected_files]
        intact |= _intact(target, {name: present[name] for name in listing.entries.keys() & present.keys() - intact})
        missing = {name: file for name, file in listing.entries.items() if name not in intact}
        summary.present += len(listing.entries) - len(missing)
        # Before the entries, as a run publishes them: an entry whose weights are still to come has none for good.
        for file in list_weights(store):
            if file.name in intact_weights or file.entry_name not in listing.entries:
                continue
            if file.name in present_weights and _intact_weights(target, file) is not None:
                intact_weights.add(file.name)
                continue
            if (weights := _intact_weights(store, file)) is None:
                summary.damaged.append((entry_location(store, file.name), "weights that are damaged"))
                continue
            put_entry(target, file.name, weights)
            intact_weights.add(file.name)
            summary.weights += 1
        for name, data in read_entries(store, missing):
            try:
                if isinstance(data, OSError):
                    raise data
                decode(name, data)
            except (DamagedEntryError, OSError) as error:
                summary.damaged.append((entry_location(store, name), str(error)))
                continue
            put_entry(target, name, data)
            intact.add(name)
            summary.copied += 1
    return summary


def _intact(store: Store, files: dict[str, StoredFile]) -> set[str]:
    """The names of those files whose content matches the digest in their names."""
    intact = set()
    for name, data in read_entries(store, files):
        with contextlib.suppress(DamagedEntryError):
            if not isinstance(data, OSError):
                check_digest(name, data)
                intact.add(name)
    return intact


def _intact_weights(store: EntrySource, file: WeightsFile) -> bytes | None:
    """The bytes of weights; None where they are damaged or cannot be read."""
    with contextlib.suppress(DamagedEntryError, OSError):
        return read_file(store, file)
    return None
