"""What do commands make of a ledger that was damaged, or made by others? ``python benchmarks/fuzz_ledger.py``.

Claims: of 5,000 mutated entries, index lines and leases none ends a command by an exception; an entry is read exactly
as it was written or passed over by name; an index line that was changed changes no record; nothing printed holds a
character that a terminal obeys; no command takes 10 s of processor time.

Each mutation follows from ``--seed`` and its number alone. Entries are damaged as they lie (bits, ends cut off), or
made with a name that fits: records with values of other types, without keys, with hostile texts and numbers; arrays of
other types, shapes and contents; other zips; and what is no file. A ledger gets forty of them beside whole entries,
and the commands that read ledgers run on it in this process, as from a shell. Where one fails, the mutations of that
ledger are tried one by one, and those to blame are named: ``--only NUMBER`` makes one again and leaves its ledger in
``--keep``.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import faulthandler
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from figures import load_now, show

from bench.__main__ import main as bench_main
from bench.commands.load_suites import trials_of
from bench.errors import UserError, control_character
from bench.ledger.entries import LedgerEntry, encode
from bench.ledger.index import add_published
from bench.ledger.leases import Leases, owner_bytes, this_process
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo, external_config
from bench.ledger.store import entry_path
from bench.metrics import Predictions
from bench.suite.suite import load_suite

MOST_SECONDS = 10.0
AT_ONCE = 40
"""Mutated entries in a ledger."""
IMAGES = 120
CLASSES = [f"class {number}" for number in range(10)]
SUITE = """
name: fuzz
grid:
  model: {name: mlp, hidden: [8]}
  dataset: fashion_mnist
  optimizer: [adam, {name: sgd, lr: 0.1}]
  regularizer: [none, {name: dropout, rate: 0.5}]
  epochs: 3
  seeds: 2
"""
SHARES = {"bits": 15, "cut": 5, "record": 40, "arrays": 15, "zip": 3, "no file": 2, "index": 12, "claim": 8}

HOSTILE: tuple[Any, ...] = (
    *("\x1b[2J\x1b]0;owned\x07", "a\x00b", "\r\n", "a\nb", "\u202egnp.exe", "\ud800", "\uffff", "\x9b31m", "", " "),
    *("<script>alert(1)</script>", "|a|b|", "=cmd|'/C calc'!A1", "[red]x[/red]", "../../etc/passwd", "%s%n", "{0}"),
    *("x" * 5000, "Ω日本語🙂", "none", "nan", "1e999", "\\", '"', "`", "$(id)", "\t"),
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, 0.0, -0.0, 0.5, 1e-320, 1e19, 1e300, -1e300),
    *([], {}, [[]], [None], {"name": None}, {"name": []}, {"name": "x"}, {"": 0}, ["a", "b"], [1, 2], [0.1, None]),
)


@dataclass
class Tally:
    """What became of the mutations of a kind."""

    times: int = 0
    read: int = 0
    passed_over: int = 0
    failed: int = 0


@dataclass
class Outcome:
    """All of it; `failures` say what went wrong, `slowest` by command is in seconds of processor time."""

    tallies: dict[str, Tally] = field(default_factory=lambda: {kind: Tally() for kind in SHARES})
    failures: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mutation:
    """A number and its kind; `chance` is a generator that gives the same every time."""

    number: int
    kind: str
    seed: int

    @property
    def chance(self) -> random.Random:
        return random.Random(f"{self.seed}/{self.number}")

    @property
    def key(self) -> str:
        return f"f{self.number:019x}"

    def __str__(self) -> str:
        return f"{self.number} ({self.kind})"


def whole_entries(suite: Path) -> list[tuple[Record, Predictions | None]]:
    """A ledger as training leaves it, of every status, and an added row."""
    made: list[tuple[Record, Predictions | None]] = []
    labels = (np.arange(IMAGES) % 10).astype(np.uint8)
    for number, trial in enumerate(trials_of(load_suite(suite))):
        random_ = np.random.default_rng(number)
        status: Any = {5: "diverged", 6: "pruned", 7: "failed"}.get(number, "complete")
        predicted = np.where(random_.random(IMAGES) < 0.8, labels, (labels + 1) % 10).astype(np.uint8)
        sure = random_.uniform(0.5, 1, IMAGES).astype(np.float32)
        right = predicted == labels
        said = Predictions(labels, predicted, sure, np.where(right, sure, 1 - sure), (~right).astype(np.uint8))
        accuracy = float(right.mean())
        rising = [accuracy - 0.1, accuracy - 0.05, accuracy]
        curves: dict[str, list[float | None]] = {
            "train_loss": [0.9, 0.6, None if status == "diverged" else 0.5],
            "train_accuracy": [*rising], "val_loss": [0.9, 0.7, 0.6], "val_accuracy": [*rising], "lr": [0.001] * 3,
        }  # fmt: skip
        parts = {"accuracy": accuracy, "loss": 0.5} if status == "complete" else None
        result = Result(curves, 3, 3 if parts else None, parts, parts, parts, CLASSES if parts else [])
        measured = RunInfo(
            1000, 1000, 2000, 12.5 + number, 1.0, 2**28, "cpu (x86-64)", 1, {"bench": "0.1.0", "torch": "2.9.0"},
            "0123456789abcdef", "2025-01-01T10:00:00Z", f"2025-01-01T10:{number:02}:00Z",
        )  # fmt: skip
        decisions = [{"epoch": 1, "val_accuracy": 0.5, "decision": "stop"}]
        made.append(
            (
                Record(
                    trial.key, trial.config.to_json(), trial.seed, status, result, measured, trial.config_key, "fuzz",
                    {"rule": {"method": "asha"}, "decisions": decisions} if status == "pruned" else None,
                    {"kind": "E", "message": "m", "traceback": "t\n"} if status == "failed" else None,
                ),
                said if parts else None,
            )
        )  # fmt: skip
    first, said_first = made[0]
    config = external_config("theirs", first.config.dataset.to_json())
    made.append((replace(first, key="ad" * 10, config=config, config_key="ad" * 10, suite=""), said_first))
    return made


def packed(members: dict[str, bytes]) -> bytes:
    """A zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def named(key: str, data: bytes) -> str:
    """The name that fits the bytes, as somebody who means harm would give it."""
    return f"{key}-{hashlib.sha256(data).hexdigest()[:12]}.npz"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values within a record."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from places(inner, (*path, name))


def mutated_json(data: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """One to three values replaced, removed, renamed or added."""
    data = copy.deepcopy(data)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        *path, last = chance.choice(list(places(data)))
        inner = data
        for part in path:
            inner = inner[part]
        how = chance.randrange(7)
        if how == 0:
            del inner[last]
        elif how == 1 and isinstance(inner, dict):
            inner[str(chance.choice(HOSTILE))] = inner.pop(last)
        elif how == 2 and isinstance(inner, dict):
            inner[str(chance.choice(HOSTILE))] = copy.deepcopy(chance.choice(HOSTILE))
        elif how == 3:
            inner[last] = [inner[last]]
        elif how == 4 and isinstance(inner[last], int | float):
            inner[last] = -inner[last] if chance.random() < 0.3 else inner[last] * 10 ** chance.randrange(1, 300)
        elif how == 5:
            deep: Any = inner[last]
            for _ in range(chance.choice([2, 28, 40, 300])):
                deep = [deep] if chance.random() < 0.5 else {"name": deep}
            inner[last] = deep
        else:
            inner[last] = copy.deepcopy(chance.choice(HOSTILE))
    return data


def mutated_array(data: bytes, chance: random.Random) -> bytes | None:
    """Another .npy in place of one; None for none at all."""
    array = np.load(io.BytesIO(data))
    np.seterr(all="ignore")
    length = len(array)
    how = chance.randrange(13)
    made: Any
    match how:
        case 0:
            return None
        case 1:
            return data[: chance.randrange(len(data))]
        case 2:
            return flipped(data, chance)
        case 3:
            made = array[: chance.choice([0, 1, length - 1])]
        case 4:
            made = np.concatenate([array, array])
        case 5:
            made = array.reshape(chance.choice([(1, length), (length, 1), (2, length // 2)]))
        case 6:
            made = array.astype(
                chance.choice(["i8", "f8", "u2", "u8", "f4", "u1", "U5", "S3", "?", "c8", "M8[s]", ">f4"])
            )
        case 7:
            made = np.full_like(array, chance.choice([0, 1, 9, 10, 255]))
        case 8:
            made = np.full(length, chance.choice([np.nan, np.inf, -np.inf, -1, 1e30]), "f4").astype(array.dtype)
        case 9:
            made = np.array(5, array.dtype)
        case 10:
            made = np.empty(length, object)
        case 11:
            made = np.zeros(length, [("a", "u1"), ("b", "f4")])
        case _:
            return b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999999,), }".ljust(
                128
            )
    buffer = io.BytesIO()
    with np.errstate(all="ignore"):
        np.lib.format.write_array(buffer, made)
    return buffer.getvalue()


def flipped(data: bytes, chance: random.Random, bits: int = 0) -> bytes:
    """One to three bits changed; the size stays."""
    out = bytearray(data)
    for _ in range(bits or chance.choice([1, 1, 2, 3])):
        out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def put_entry(root: Path, mutation: Mutation, whole: list[tuple[Record, Predictions | None]]) -> tuple[Path, Any]:
    """Write a mutated entry; its path, and the record it holds as JSON where its name fits."""
    chance = mutation.chance
    record, predictions = chance.choice(whole)
    record = replace(record, key=mutation.key)
    name, data = encode(record, predictions)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    written: Any = None
    if mutation.kind == "bits":
        data = flipped(data, chance)
    elif mutation.kind == "cut":
        data = data[: chance.randrange(len(data))]
    elif mutation.kind == "record":
        changed = mutated_json(json.loads(members["record.json"]), chance)
        changed["key"] = mutation.key if chance.random() < 0.97 else changed.get("key")
        text = json.dumps(changed, allow_nan=False).encode()
        if chance.random() < 0.05:
            text = flipped(text, chance)
        with contextlib.suppress(ValueError):
            written = json.loads(text)
        data = packed({**members, "record.json": text})
        name = named(mutation.key, data)
    elif mutation.kind == "arrays":
        arrays = [member for member in members if member.endswith(".npy")]
        for member in chance.sample(arrays, min(len(arrays), chance.choice([1, 1, 2, 5]))):
            new = mutated_array(members[member], chance)
            members = {k: v for k, v in members.items() if k != member} | ({} if new is None else {member: new})
        written = json.loads(members["record.json"])
        data = packed(members)
        name = named(mutation.key, data)
    elif mutation.kind == "zip":
        made = flipped(data, chance, 8) if chance.random() < 0.7 else packed({"record.json": chance.randbytes(50)})
        with contextlib.suppress(Exception), zipfile.ZipFile(io.BytesIO(made)) as archive:
            written = json.loads(archive.read("record.json"))
        data, name = made, named(mutation.key, made)
    path = root / entry_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if mutation.kind == "no file":
        chance.choice(
            [lambda: os.mkfifo(path), path.mkdir, lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to(path)]
        )()
        return path, None
    if mutation.kind in ("bits", "cut") and chance.random() < 0.5:  # the index knows the whole one
        path.write_bytes(encode(record, predictions)[1])
        add_published(Ledger(root).store, LedgerEntry(name, record))
    path.write_bytes(data)
    return path, written


def commands(root: Path, folder: Path, suite: Path, compared: list[str], number: int) -> list[list[str]]:
    """What is run on the ledger: every command that reads one, the dear ones now and then."""
    results = ["--results", str(root)]
    asked = [["report", *results], ["plan", str(suite), *results]]
    out = ["--out", str(folder / "out")]
    match number % 4:
        case 0:
            asked.append(["report", "--markdown", "--csv", "--json", "--latex", *out, *results])
        case 1:
            asked.append(["compare", *compared, *results])
        case 2:
            asked.append(["report", str(suite), "--markdown", *out, *results])
        case _:
            asked.append(["compare", str(root), str(folder / "whole")])
    if number % 8 == 0:
        asked.append(["report", "--html", *out, *results])
    return asked


def run_command(arguments: list[str]) -> tuple[int, str, float]:
    """The command in this process: its exit code, everything printed, and seconds of processor time."""
    printed = io.BytesIO()
    stream = io.TextIOWrapper(printed, encoding="utf-8", write_through=True)
    before = time.process_time()
    code: Any = 0
    with (
        contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream),
        patch.object(sys, "argv", ["bench", *arguments]),
    ):  # fmt: skip
        try:
            bench_main()
        except SystemExit as end:
            code = end.code
    code = code if isinstance(code, int) else 0 if code is None else 1
    return code, printed.getvalue().decode(errors="replace"), time.process_time() - before


def faults_of(arguments: list[str], outcome: Outcome) -> list[str]:
    """What is wrong with what a command did."""
    code, printed, seconds = run_command(arguments)
    name = " ".join(word for word in arguments if not word.startswith("/"))
    outcome.slowest[name] = max(outcome.slowest.get(name, 0.0), seconds)
    found = []
    if "unexpectedly" in printed or "Traceback" in printed or code not in (0, 1, 2):
        line = next((line for line in printed.splitlines() if "unexpectedly" in line), printed[-300:])
        found.append(f"exit code {code}: {line[:300]}")
    elif code and arguments[0] not in ("compare", "show"):
        found.append(f"exit code {code}: {printed[-300:]}")
    if bad := control_character(printed):
        at = printed.index(bad)
        found.append(f"prints {bad!r}: {printed[max(0, at - 60) : at + 60]!r}")
    if seconds > MOST_SECONDS:
        found.append(f"took {seconds:.1f} s")
    return [f"{name}: {fault}" for fault in found]


def same(read: Record, written: Any) -> bool:
    """Whether a record says just what was written, fields that were left out aside."""
    told = json.loads(json.dumps(read.to_json()))
    for place in (written, written["result"], written["run_info"]):
        for name in place:
            inner = told if place is written else told["result"] if place is written["result"] else told["run_info"]
            if name not in ("result", "run_info") and inner[name] != place[name]:
                return False
    return True


def try_entries(
    mutations: list[Mutation],
    folder: Path,
    whole: list[tuple[Record, Predictions | None]],
    suite: Path,
    outcome: Outcome,
) -> list[str]:
    """Put mutated entries into a ledger, run commands on it; what went wrong."""
    root = folder / "results"
    shutil.copytree(folder.parent / "whole", root)
    if not (folder / "whole").exists():
        (folder / "whole").symlink_to(folder.parent / "whole")
    put = {mutation: put_entry(root, mutation, whole) for mutation in mutations}
    found: list[str] = []
    ledger = Ledger(root)
    records = {record.key: record for record in ledger.records()}
    damaged = {str(path) for path, _ in ledger.damaged}
    for mutation, (path, written) in put.items():
        if mutation.key in records and written is None:
            found.append(f"{mutation}: was damaged and is read")
        elif mutation.key in records and not same(records[mutation.key], written):
            found.append(f"{mutation}: is read otherwise than it was written")
        elif mutation.key not in records and str(path) not in damaged:
            found.append(f"{mutation}: is neither read nor passed over by name")
    for record, _ in whole:
        if records.get(record.key) != record:
            found.append(f"the whole entry {record.key} is read otherwise")
    compared = [whole[0][0].config_key, whole[4][0].config_key]
    for arguments in commands(root, folder, suite, compared, mutations[0].number // AT_ONCE):
        found += faults_of(arguments, outcome)
    for mutation in mutations:
        if mutation.key in records:
            found += faults_of(["show", mutation.key, "--results", str(root)], outcome)
    for mutation in mutations:
        tally = outcome.tallies[mutation.kind]
        tally.read += mutation.key in records
        tally.passed_over += mutation.key not in records
    return found


def try_index(mutation: Mutation, folder: Path, whole: list[tuple[Record, Predictions | None]]) -> list[str]:
    """Change the index of a whole ledger; every record must stay."""
    chance = mutation.chance
    root = folder / "results"
    shutil.copytree(folder.parent / "whole", root)
    Ledger(root).records()
    index = root / "index.jsonl"
    data = index.read_bytes()
    signed = False
    match chance.randrange(7):
        case 0 | 1:
            data = flipped(data, chance)
        case 2:
            at = chance.choice([at for at, byte in enumerate(data) if 48 <= byte <= 57])
            data = data[:at] + bytes([48 + chance.randrange(10)]) + data[at + 1 :]
        case 3:
            data = data[: chance.randrange(len(data))]
        case 4:
            at = chance.randrange(len(data))
            data = data[:at] + chance.randbytes(chance.randrange(200)) + data[at:]
        case 5:
            lines = data.splitlines(keepends=True)
            data = b"".join(chance.choices(lines, k=len(lines)))
        case _:  # somebody who means harm signs what they wrote
            signed = True
            lines = []
            for line in data.splitlines():
                told = json.loads(line)
                told.pop("sha256")
                text = json.dumps(mutated_json(told, chance), separators=(",", ":"))[1:].encode()
                lines.append(b'{"sha256":"%b",%b' % (hashlib.sha256(text).hexdigest()[:12].encode(), text))
            data = b"\n".join(lines)
    index.write_bytes(data)
    try:
        records = {record.key: record for record in Ledger(root).records()}
        damaged = Ledger(root).damaged
    except Exception as error:
        return [f"{mutation}: {type(error).__name__}: {error}"]
    wrong = [] if signed or records == {record.key: record for record, _ in whole} else ["changes a record"]
    wrong += ["makes a whole entry pass for damaged"] if damaged else []
    found = [f"{mutation}: {text}" for text in wrong]
    if signed:
        outcome = Outcome()
        found += [f"{mutation}: {fault}" for fault in faults_of(["report", "--results", str(root)], outcome)]
    return found


def try_claim(mutation: Mutation, folder: Path) -> list[str]:
    """Change a claim file; it is taken or waited for, and given back."""
    chance = mutation.chance
    claim = folder / "leases" / f"{mutation.key}.0"
    claim.parent.mkdir(parents=True)
    owner = json.loads(owner_bytes(this_process()))
    how = chance.randrange(5)
    if how == 0:
        claim.write_bytes(flipped(json.dumps(owner).encode(), chance))
    elif how == 1:
        claim.write_bytes(chance.choice([b"", b"\0" * 9, b"[" * 100_000, b'{"pid":', b"null", chance.randbytes(99)]))
    elif how == 2:
        chance.choice([claim.mkdir, lambda: os.mkfifo(claim), lambda: claim.symlink_to("/dev/zero")])()
    else:
        claim.write_text(json.dumps(mutated_json(owner, chance)))
    try:
        leases = Leases(folder)
        if leases.acquire(mutation.key) not in (True, False):
            return [f"{mutation}: neither taken nor left"]
        leases.renew_all()
        leases.release_all()
    except UserError:
        return []
    except Exception as error:
        return [f"{mutation}: {type(error).__name__}: {error}"]
    return []


def kinds(count: int) -> list[str]:
    """The kind of each number: every kind as often as its share asks, in an order that is always the same."""
    whole = sum(SHARES.values())
    names = [kind for kind, share in SHARES.items() for _ in range(round(count * share / whole))]
    names = (names + ["record"] * count)[:count]
    random.Random(0).shuffle(names)
    return names


def tried(folder: Path, name: str, attempt: Callable[[Path], list[str]]) -> list[str]:
    """Let `attempt` work in a folder of its own, which is removed."""
    place = folder / name
    place.mkdir()
    faulthandler.dump_traceback_later(300, exit=True)  # whatever hangs is named, too
    try:
        return attempt(place)
    finally:
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(place, ignore_errors=True)


def fuzz(count: int, seed: int, folder: Path, only: int | None = None, of_kinds: Collection[str] = SHARES) -> Outcome:
    """Try all mutations of these kinds, or one."""
    suite = folder / "fuzz.yaml"
    suite.write_text(SUITE)
    whole, outcome = whole_entries(suite), Outcome()
    for record, predictions in whole:
        Ledger(folder / "whole").publish(record, predictions)
    mutations = [Mutation(number, kind, seed) for number, kind in enumerate(kinds(count)) if only in (None, number)]
    mutations = [one for one in mutations if one.kind in of_kinds]
    entries = [one for one in mutations if one.kind not in ("index", "claim")]
    for start in range(0, len(entries), AT_ONCE):
        batch = entries[start : start + AT_ONCE]

        def attempt(place: Path, batch: list[Mutation] = batch) -> list[str]:
            return try_entries(batch, place, whole, suite, outcome)

        found = tried(folder, f"batch-{start}", attempt)
        if found and len(batch) > 1:
            blamed = []
            for one in batch:
                scratch = Outcome()
                alone = tried(
                    folder, f"alone-{one.number}",
                    lambda place, one=one, scratch=scratch: try_entries([one], place, whole, suite, scratch),
                )  # fmt: skip
                blamed += [f"{one}: {fault}" for fault in alone]
                outcome.tallies[one.kind].failed += bool(alone)
            found = blamed or [f"{', '.join(map(str, batch))} together: {fault}" for fault in found]
        outcome.failures += found
        for fault in found:
            print(fault, file=sys.stderr, flush=True)
        for one in batch:
            outcome.tallies[one.kind].times += 1
        print(f"{start + len(batch):,} of {len(entries):,} entries, {len(outcome.failures)} failures", file=sys.stderr)
    for one in mutations:
        if one.kind not in ("index", "claim"):
            continue
        found = tried(
            folder, f"{one.kind}-{one.number}",
            lambda place, one=one: try_index(one, place, whole) if one.kind == "index" else try_claim(one, place),
        )  # fmt: skip
        outcome.tallies[one.kind].times += 1
        outcome.tallies[one.kind].failed += bool(found)
        outcome.failures += found
        for fault in found:
            print(fault, file=sys.stderr, flush=True)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=list(SHARES), help="of this kind; may be repeated")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this mutation alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="with --only: leave its entry in a ledger here")
    asked = parser.parse_args()
    before = load_now()
    with tempfile.TemporaryDirectory(prefix="fuzz-ledger-") as text:
        outcome = fuzz(asked.count, asked.seed, Path(text), asked.only, asked.kind or SHARES)
        if asked.only is not None and asked.keep:
            one = Mutation(asked.only, kinds(asked.count)[asked.only], asked.seed)
            shutil.copytree(Path(text) / "whole", asked.keep)
            print(put_entry(asked.keep, one, whole_entries(Path(text) / "fuzz.yaml"))[0])
    rows = [(kind, str(t.times), str(t.read), str(t.passed_over), str(t.failed)) for kind, t in outcome.tallies.items()]
    sums = [str(sum(getattr(t, name) for t in outcome.tallies.values())) for name in ("times", "failed")]
    rows.append(("all", sums[0], "", "", sums[1]))
    show("Mutations", ("kind", "times", "read as written", "passed over", "failed"), rows, before)
    slow = Counter(outcome.slowest).most_common(6)
    show("Slowest commands", ("command", "s of processor time"), [(name, f"{s:.1f}") for name, s in slow], before)
    sys.exit(1 if outcome.failures else 0)


if __name__ == "__main__":
    main()
