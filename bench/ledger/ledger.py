"""The ledger: reading and publishing entries; several drivers may share one."""

from __future__ import annotations

import bisect
import contextlib
import json
import shlex
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import inf
from typing import TypeVar

from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject
from bench.ledger.entries import (
    DamagedEntryError,
    LedgerEntry,
    check_digest,
    decode,
    decode_classes,
    decode_predictions,
    decode_validation,
    encode,
)
from bench.ledger.file_store import FileStore
from bench.ledger.index import EntryState, add_published, forget_index, read_index, update_index
from bench.ledger.merge import merge_ledgers
from bench.ledger.record import Record
from bench.ledger.store import (
    UNEXPECTED_REASON,
    Location,
    State,
    Store,
    StoredFile,
    StoreUnavailableError,
    entry_location,
    entry_names,
    entry_path,
    list_entries,
    open_store,
    put_entry,
    read_entries,
    with_results,
)
from bench.ledger.weights_files import list_weights, weights_in, weights_name
from bench.metrics import LabelledProbabilities, PredictedClasses, Predictions

T = TypeVar("T")


FINISHED = ("complete", "diverged")
"""Statuses of trials that do not run again."""


def precedence_key(entry: LedgerEntry) -> tuple[int, float, str]:
    """A sort key: the entry that counts comes first.

    A finished trial precedes a pruned or timed out one, and that a failed one. Of finished ones the first published
    counts, so that a later repetition changes no reported result; of the others the latest. Ties are broken by the
    name, which has a digest of the content, so merged ledgers agree.
    """
    finished = _seconds(entry.record.run_info.finished)
    if entry.record.status in FINISHED:
        return 0, inf if finished is None else finished, entry.name
    return 2 if entry.record.status == "failed" else 1, inf if finished is None else -finished, entry.name


def _seconds(text: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time; None where it is not valid."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class MissingEntryError(UserError):
    """An entry is damaged, as reading its predictions found; the ledger ignores it from then on."""


class Ledger:
    """The records in `root`, a folder or a URL.

    They are read on first use; `refresh` reads what other drivers published since. A missing folder is an empty ledger
    and created by the first `publish`. Raises UserError where `root` is a file or clearly no ledger, or a URL that
    cannot be reached. `store_error` is why the latest entry could not be sent to its URL and is pending,
    `weights_error` why the latest weights could not be stored.
    """

    def __init__(self, root: Location | Store) -> None:
        self.store = open_store(root)
        self.store.check()
        self.root = self.store.root
        self.store_error: StoreUnavailableError | None = None
        self.weights_error: UserError | None = None
        self._read = False
        self._replaced: list[LedgerEntry] = []
        """Entries that are still to be removed, since others that were published here replace them."""
        self._entries: dict[str, LedgerEntry] = {}
        self._by_key: dict[str, list[LedgerEntry]] = {}
        self._damaged: dict[Location, tuple[State, str]] = {}  # the state of the file when it was read, reason

    @property
    def damaged(self) -> list[tuple[Location, str]]:
        """Files among the entries that are ignored, each with the reason."""
        self._read_once()
        return sorted(((path, reason) for path, (_, reason) in self._damaged.items()), key=str)

    def records(self) -> list[Record]:
        """The record that counts for each key, ordered by key."""
        self._read_once()
        return [self._by_key[key][0].record for key in sorted(self._by_key)]

    def record(self, key_or_prefix: str) -> Record:
        """The record that counts for a key, or for the one key that begins so.

        Raises UserError where no key or more than one begins so.
        """
        return self._first_entry(key_or_prefix).record

    def replicates(self, key: str) -> list[Record]:
        """The finished records of a key (or prefix) other than the one that counts, first published first."""
        entries = self._by_key[self._first_entry(key).record.key]
        return [entry.record for entry in entries[1:] if entry.record.status in FINISHED]

    def predictions(self, key: str) -> Predictions:
        """The test predictions of the record that counts for a key (or prefix), read from its file at each call.

        Raises UserError where the trial has none (it was pruned or failed), MissingEntryError where the file is
        damaged: the ledger then ignores it.
        """
        return self._tested(key, decode_predictions)

    def predicted_classes(self, key: str) -> PredictedClasses:
        """As `predictions`, of labels and predicted classes alone."""
        return self._tested(key, decode_classes)

    def _tested(self, key: str, decode_arrays: Callable[[LedgerEntry, bytes], T | None]) -> T:
        """What an entry holds of its test; errors as `predictions`."""
        stored = self._first_entry(key)
        arrays = self._decoded(stored, decode_arrays)
        if arrays is None:
            location, status = entry_location(self.store, stored.name), stored.record.status
            raise UserError(f"{location}: holds no predictions: the trial was not tested ({status})")
        return arrays

    def validation_probabilities(self, key: str) -> LabelledProbabilities | None:
        """Class probabilities of the validation part by the tested network of a key (or prefix); None without any.

        There are none under ``validation: none``, and where a refit trained the tested network on those images.
        Raises MissingEntryError as `predictions`.
        """
        return self._decoded(self._first_entry(key), decode_validation)

    def _decoded(self, stored: LedgerEntry, decode_arrays: Callable[[LedgerEntry, bytes], T]) -> T:
        """What an entry's file holds; MissingEntryError where it is damaged, and the ledger then ignores it."""
        try:
            return decode_arrays(stored, self.store.read(entry_path(stored.name)))
        except (DamagedEntryError, OSError) as error:
            self._drop_damaged(stored, str(error))
            raise MissingEntryError(
                f"{entry_location(self.store, stored.name)}: cannot be read: {error}\n"
                "  `bench merge` mends it from a whole copy; without one, the next `bench run` of its suite runs its "
                "trial again"
            ) from error

    def done(self, pruning_rule: JsonObject | None, max_minutes: float | None = None) -> dict[str, Record]:
        """Key to record of what need not run again when trials are pruned by `pruning_rule` (None: not at all).

        Complete and diverged trials are done; pruned ones only if the same rule pruned them; timed out ones if
        `max_minutes` gives them no more time than they had; failed ones never.
        """
        self._read_once()
        rule = json.loads(json.dumps(pruning_rule))  # as in a record: lists for tuples
        done = {}
        for key, entries in self._by_key.items():
            finished_records = (entry.record for entry in entries if _is_done(entry.record, rule, max_minutes))
            if record := next(finished_records, None):
                done[key] = record
        return done

    def ended(self, pruning_rule: JsonObject | None, max_minutes: float | None = None) -> dict[str, Record]:
        """As `done`, and with those that failed: a run tries them again, an adaptive search does not wait for them."""
        done = self.done(pruning_rule, max_minutes)
        failed = {
            key: stored.record
            for key, entries in self._by_key.items()
            for stored in entries
            if stored.record.status == "failed"
        }
        return failed | done

    def finished(self, key: str, pruning_rule: JsonObject | None, max_minutes: float | None = None) -> Record | None:
        """The record that makes `key` done, as `done` has it, looking only for this key's new files.

        Takes the same time however large the ledger is; damaged files are reported by `refresh`.
        """
        self._read_once()
        with contextlib.suppress(StoreUnavailableError):  # then the entries that were read before are used
            for name in entry_names(self.store, key):
                if name not in self._entries:
                    with contextlib.suppress(DamagedEntryError, OSError):
                        self._add_entries([LedgerEntry(name, decode(name, self.store.read(entry_path(name))))])
        rule = json.loads(json.dumps(pruning_rule))
        entries = self._by_key.get(key, [])
        return next((entry.record for entry in entries if _is_done(entry.record, rule, max_minutes)), None)

    def publish(
        self,
        record: Record,
        predictions: Predictions | None = None,
        validation: LabelledProbabilities | None = None,
        weights: bytes | None = None,
        candidate: bool = False,
        *,
        replaces: bool = False,
    ) -> Location:
        """Store a trial, completely or not at all, and return its file.

        If it `replaces` the earlier entries of its key, those that this ledger has read are removed, with their
        weights, once it is stored; until then they count.

        While the URL is unavailable the entry is pending on this machine, and sent by a later `publish` or
        `flush_pending`. Raises UserError where it cannot be written, ValueError where the record has a value that is
        not finite. `weights` that cannot be written are no reason to lose the record: `weights_error` says why not.
        They are stored first; of a run that is killed in between, the trial runs again.

        Parameters
        ----------
        weights
            A safetensors file; `candidate`: of a configuration that may not be the best (`bench.ledger.weights_files`).
        """
        name, data = encode(record, predictions, validation)
        entry = LedgerEntry(name, record)
        if replaces:
            with contextlib.suppress(StoreUnavailableError):  # then those that were read before
                self._read_once()
            self._replaced += self._by_key.get(record.key, [])
        try:
            path = self._put(self.store, name, data, weights, candidate)
        except StoreUnavailableError as error:
            self.store_error = error
            path = self._put(FileStore(self.store.local), name, data, weights, candidate)
        else:
            add_published(self.store, entry)
            if self.store_error or replaces:
                try:
                    self.flush_pending()
                except StoreUnavailableError as error:
                    self.store_error = error
        if self._read:
            self._add_entries([entry])
        return path

    def _put(self, store: Store, name: str, data: bytes, weights: bytes | None, candidate: bool) -> Location:
        """Store an entry, and before it its weights if there are any and they can be stored."""
        if weights is None:
            return put_entry(store, name, data)
        file_name = weights_name(name, weights, candidate)
        try:
            put_entry(store, file_name, weights)
        except StoreUnavailableError:
            raise
        except UserError as error:
            self.weights_error = error
        try:
            return put_entry(store, name, data)
        except StoreUnavailableError:
            raise
        except UserError as error:  # a full disk may have room for the record without them
            store.delete(entry_path(file_name))
            path = put_entry(store, name, data)
            self.weights_error = error
            return path

    def entries_of(self, key: str) -> list[LedgerEntry]:
        """All entries of a key, the one that counts first."""
        self._read_once()
        return list(self._by_key.get(key, []))

    def pending(self) -> int:
        """How many entries on this machine are still to be sent to the ledger's URL."""
        return 0 if isinstance(self.store, FileStore) else len(list_entries(FileStore(self.store.local)).entries)

    def flush_pending(self) -> int:
        """Send pending entries and return their number, and remove what they replace.

        Raises StoreUnavailableError where that fails.
        """
        copied = 0
        try:
            if self.pending():
                copied = self._send_pending(FileStore(self.store.local))
            while self._replaced:
                self._remove(self._replaced[-1])
                self._replaced.pop()
        except StoreUnavailableError as error:
            if not (count := self.pending()):
                raise
            command = with_results(shlex.join(["bench", "merge", str(self.store.local)]), self.root)
            raise StoreUnavailableError(
                f"{error}\n  {count} finished trials are pending in {self.store.local}: the next "
                f"`bench run` sends them, or `{command}`"
            ) from error
        self.store_error = None
        return copied

    def _send_pending(self, local_store: FileStore) -> int:
        # Listed before they are sent: another driver of this machine may add to them meanwhile.
        names = [*list_entries(local_store).entries, *(file.name for file in list_weights(local_store))]
        summary = merge_ledgers([local_store], self.store)
        damaged = {location for location, _ in summary.damaged}
        for name in names:
            if entry_location(local_store, name) not in damaged:
                local_store.delete(entry_path(name))
        return summary.copied

    def check_writable(self) -> None:
        """UserError where leases or entries cannot be written."""
        self.store.check(writable=True)

    def reread(self) -> None:
        """Read every entry from its own file without the index; damaged ones are ignored from then on."""
        listing = list_entries(self.store)
        self._entries, self._by_key = {}, {}
        self._add_entries(entry for entry, _ in self._read_entries(listing.entries, {}))
        self._read = True
        if len(self._entries) < len(listing.entries):
            forget_index(self.store)

    def refresh(self) -> None:
        """Read what was published, copied or removed since the ledger was read."""
        listing = list_entries(self.store)
        if self._entries.keys() - listing.entries.keys():
            remaining = [entry for name, entry in self._entries.items() if name in listing.entries]
            self._entries, self._by_key = {}, {}
            self._add_entries(remaining)
        new = {name: file for name, file in listing.entries.items() if name not in self._entries}
        moved: dict[str, LedgerEntry] = {}
        if not self._read and new:
            indexed = read_index(self.store, new)
            self._add_entries(indexed.same)
            moved = indexed.moved
            new = {name: file for name, file in new.items() if name not in self._entries}
        opened = self._read_entries(new, moved)
        self._damaged |= dict.fromkeys(listing.unexpected_files, ((0, None), UNEXPECTED_REASON))
        self._add_entries(entry for entry, _ in opened)
        if opened and not self._read:
            # The publishers of later entries add their lines themselves.
            files = listing.entries
            states = [(entry, files[entry.name].state) for entry in self._entries.values()]
            update_index(self.store, opened, states)
        self._read = True

    def _remove(self, removed: LedgerEntry) -> None:
        """Remove an entry and its weights from the store."""
        for file in weights_in(self.store, removed.record.key):
            if file.entry_name == removed.name:
                self.store.delete(entry_path(file.name))
        self.store.delete(entry_path(removed.name))
        if removed.name in self._entries:
            self._forget(removed)

    def _forget(self, forgotten: LedgerEntry) -> None:
        """Leave an entry out that was read."""
        del self._entries[forgotten.name]
        others = [other for other in self._by_key.pop(forgotten.record.key) if other.name != forgotten.name]
        if others:
            self._by_key[forgotten.record.key] = others

    def _read_once(self) -> None:
        if not self._read:
            self.refresh()

    def _add_entries(self, entries: Iterable[LedgerEntry]) -> None:
        for entry in entries:
            if entry.name not in self._entries:
                self._entries[entry.name] = entry
                bisect.insort(self._by_key.setdefault(entry.record.key, []), entry, key=precedence_key)

    def _drop_damaged(self, entry: LedgerEntry, reason: str) -> None:
        """Ignore an entry that was read."""
        self._forget(entry)
        forget_index(self.store)
        self._damaged[entry_location(self.store, entry.name)] = (0, None), reason

    def _read_entries(self, files: dict[str, StoredFile], known: dict[str, LedgerEntry]) -> list[EntryState]:
        """Read entries (and their files' states) from their files, and note the damaged ones.

        Of a `known` entry only the digest is checked.
        """
        damaged, self._damaged = self._damaged, {}
        unread = {}
        for name, file in files.items():
            location = entry_location(self.store, name)
            if location in damaged and damaged[location][0] == file.state and file.changed is not None:
                self._damaged[location] = damaged[location]
            else:
                unread[name] = file
        entries = []
        for name, data in read_entries(self.store, unread):
            if isinstance(data, FileNotFoundError):
                continue  # removed since it was listed
            try:
                if isinstance(data, OSError):
                    raise data
                if name in known:
                    check_digest(name, data)
                entries.append((known.get(name) or LedgerEntry(name, decode(name, data)), files[name].state))
            except (DamagedEntryError, OSError) as error:
                self._damaged[entry_location(self.store, name)] = files[name].state, str(error)
        return entries

    def _first_entry(self, prefix: str) -> LedgerEntry:
        self._read_once()
        if not prefix:
            raise UserError("give a trial's key, or its first digits; `bench plan SUITE --json` lists a suite's keys")
        if prefix in self._by_key:
            return self._by_key[prefix][0]
        matches = sorted(key for key in self._by_key if key.startswith(prefix))
        if len(matches) == 1:
            return self._by_key[matches[0]][0]
        if matches:
            matches_text = "".join(f"\n  {key}" for key in matches[:10]) + ("\n  ..." if len(matches) > 10 else "")
            raise UserError(
                f"{self.root}: {len(matches)} keys begin with {prefix!r}; give more of one of them:{matches_text}"
            )
        if not self._by_key:
            raise UserError(f"{self.root}: no record {prefix!r}: the ledger is empty; run a suite first")
        hint = nearest(prefix, sorted({key[: len(prefix)] for key in self._by_key}))
        raise UserError(
            f"{self.root}: none of the {len(self._by_key)} keys begins with {prefix!r}; "
            f"{hint or 'give a key, or as much of its beginning as tells it from the others'}"
        )


def _is_done(record: Record, rule: JsonObject | None, max_minutes: float | None) -> bool:
    if record.status == "pruned":
        return rule is not None and (record.pruning or {}).get("rule") == rule
    if record.status == "timed_out":
        return max_minutes is not None and record.run_info.train_seconds >= 60 * max_minutes
    return record.status in FINISHED
