"""Bringing ledgers together: copying the entries that one lacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.ledger.address import home_of
from bench.ledger.entry import DamagedEntryError, decode
from bench.ledger.folder import ENTRIES
from bench.ledger.home import Home, Location
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
    and nothing already there changes. Damaged entries stay behind; one in `into` that was cut off is mended from a
    whole one. Raises UserError where a source is no ledger or `into` cannot be written.
    """
    homes = [home_of(source) for source in sources]
    for home in homes:
        if not home.check():
            raise UserError(f"{home.root}: nothing to merge: there is no ledger here (no folder `{ENTRIES}`)")
    target = home_of(into)
    target.check()
    sizes = {name: file.stat().st_size for name, file in target.listing().entries.items()}
    merged = Merged()
    for home in homes:
        listing = home.listing()
        merged.damaged += [
            (stranger, "not named as an entry, or in the wrong folder") for stranger in listing.strangers
        ]
        lacking = {name: file for name, file in listing.entries.items() if file.stat().st_size != sizes.get(name)}
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
            sizes[name] = len(data)
            merged.copied += 1
    return merged
