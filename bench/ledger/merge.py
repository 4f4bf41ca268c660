"""Bringing ledgers together: copying the entries that one lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.ledger.address import home_of
from bench.ledger.entry import DamagedEntryError, check_digest, decode
from bench.ledger.folder import ENTRIES
from bench.ledger.home import STRANGE, File, Home, Location
from bench.suite.errors import UserError


@dataclass
class Merged:
    """What a merge did: entries copied, entries that were there already, and what was left, each with the reason."""

    copied: int = 0
    present: int = 0
    damaged: list[tuple[Location, str]] = field(default_factory=list)


def merge(sources: Iterable[Location | Home], into: Location | Home) -> Merged:
    """Copy into the ledger `into` every entry of `sources` that it lacks.

    Entries are content-addressed and which one counts depends only on what they say, so the order does not matter
    and nothing already there changes. Damaged entries stay behind; a damaged one in `into` is mended from a whole one,
    so those that both have are read there and their digests checked. Raises UserError where a source is no ledger or
    `into` cannot be written.
    """
    homes = [home_of(source) for source in sources]
    for home in homes:
        if not home.check():
            raise UserError(f"{home.root}: nothing to merge: there is no ledger here (no folder `{ENTRIES}`)")
    target = home_of(into)
    target.check()
    there, whole = target.listing().entries, set[str]()
    merged = Merged()
    for home in homes:
        listing = home.listing()
        merged.damaged += [(stranger, STRANGE) for stranger in listing.strangers]
        whole |= _whole(target, {name: there[name] for name in listing.entries.keys() & there.keys() - whole})
        lacking = {name: file for name, file in listing.entries.items() if name not in whole}
        merged.present += len(listing.entries) - len(lacking)
        for name, data in home.read_all(lacking.items()):
            try:
                if isinstance(data, OSError):
                    raise data
                decode(name, data)
            except (DamagedEntryError, OSError) as error:
                merged.damaged.append((home.location(name), str(error)))
                continue
            target.put(name, data)
            whole.add(name)
            merged.copied += 1
    return merged


def _whole(home: Home, files: dict[str, File]) -> set[str]:
    """The names of those files whose content is what their names promise."""
    found = set()
    for name, data in home.read_all(files.items()):
        with contextlib.suppress(DamagedEntryError):
            if not isinstance(data, OSError):
                check_digest(name, data)
                found.add(name)
    return found
