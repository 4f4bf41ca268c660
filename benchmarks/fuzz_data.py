"""What does bench make of wrong folders, archives and predictions? ``python benchmarks/fuzz_data.py``.

Claims: of 1,000 mutated image folders, npz archives and files of predictions none ends a command by an exception; each
is refused with exit code 2, or what is loaded equals what was written, by a reading that shares no code with bench's;
nothing printed holds a character that a terminal obeys; no command takes 10 s of processor time.

Each mutation follows from ``--seed`` and its number alone; ``--only NUMBER`` makes one again and shows what was said.
The commands are `bench plan`, `bench data show` and `bench import`, in this process, as from a shell; `bench import`
gets a test part of 60 images in place of the catalogue's.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import faulthandler
import io
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

import bench.data
from bench.__main__ import main as bench_main
from bench.data import Dataset, load
from bench.data.catalogue import find
from bench.errors import control_character
from bench.ledger.ledger import Ledger

MOST_SECONDS = 10.0
KINDS = {"folder": 40, "npz": 30, "csv": 20, "predicted npz": 10}
"""Of what, in parts of a hundred."""

CLASSES = find("fashion_mnist").classes
LABELS = np.random.default_rng(0).integers(0, 10, 60)
TEST = Dataset(
    "fashion_mnist",
    CLASSES,
    np.zeros((60, 1, 4, 4), np.uint8),
    LABELS,
    np.zeros((60, 1, 4, 4), np.uint8),
    LABELS,
    "0" * 64,
    Path(),
)

NAMES = (
    *(
        "a b",
        "Ω",
        "日本　語",
        "👩\u200d🔬",
        "=1+1",
        "x" * 255,
        "-",
        "'",
        '"',
        "<b>",
        "|",
        "[red]",
        "{0}",
        "%s",
        "~",
        "$(id)",
    ),
    *("a\nb", "a\tb", "\x1b[2J", "\u202egpj", "a\x9bb", "\x7f", "a\u2028b", "\udcff", " ", "cat ", "e\u0301", "\xe9"),
)


class WrongAnswerError(Exception):
    """What bench did with a mutated file, and should not have done."""


@dataclass
class Case:
    """A mutated thing: the words of the mutations, and how to hold what bench made of it against what was written."""

    words: list[str]
    commands: list[list[str]]
    check: Callable[[], None]
    results: Path = field(default_factory=Path)


def png(values: np.ndarray, bits: int, kind: int, transparent: bytes = b"", palette: bytes = b"") -> bytes:
    """A PNG with a transparency chunk, in forms that Pillow does not write."""
    height, width = values.shape[:2]
    lines = []
    for row in values.reshape(height, -1):
        places = np.arange(bits)[::-1]
        lines.append(b"\0" + np.packbits((row[:, None] >> places & 1).astype(np.uint8).reshape(-1)).tobytes())
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))]
    chunks += [(b"PLTE", palette)] if palette else []
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def picture(draw: random.Random, height: int = 5, width: int = 6) -> tuple[bytes, np.ndarray]:
    """A sound image file, and its pixels as red, green and blue (height, width, 3)."""
    random_values = np.random.default_rng(draw.getrandbits(32))
    form = draw.choice(["grey", "grey", "grey alpha", "colour", "palette", "other"])
    if form == "grey":
        bits = draw.choice([1, 2, 4, 8, 16])
        highest = 2**bits - 1
        values = random_values.integers(0, highest, (height, width), endpoint=True)
        shown = values >> 8 if bits == 16 else values * 255 // highest
        chunk = b""
        if draw.random() < 0.5:
            clear = int(draw.choice(values.reshape(-1).tolist()))
            shown = np.where(values == clear, 0, shown)
            chunk = struct.pack(">H", clear)
        return png(values, bits, 0, chunk), np.repeat(shown[:, :, None], 3, 2).astype(np.uint8)
    if form == "grey alpha":
        values = random_values.integers(0, 256, (height, width, 2))
        values[:, :, 1] = 255 * random_values.integers(0, 2, (height, width))
        shown = np.where(values[:, :, 1:] == 0, 0, values[:, :, :1])
        bits = draw.choice([8, 16])
        return png(values * (257 if bits == 16 else 1), bits, 4), np.repeat(shown, 3, 2).astype(np.uint8)
    if form == "palette":
        bits = draw.choice([1, 2, 4, 8])
        palette = random_values.integers(0, 256, (2**bits, 3))
        values = random_values.integers(0, 2**bits, (height, width))
        alpha = 255 * random_values.integers(0, 2, 2**bits)
        shown = np.where(alpha[:, None] == 0, 0, palette)[values]
        return (
            png(values, bits, 3, bytes(alpha.tolist()), palette.astype(np.uint8).tobytes()),
            shown.astype(np.uint8),
        )
    values = random_values.integers(0, 256, (height, width, 3))
    if form == "colour" and draw.random() < 0.5:
        clear = values[0, 0].copy()
        shown = np.where((values == clear).all(2, keepdims=True), 0, values)
        return png(values, 8, 2, struct.pack(">HHH", *clear.tolist())), shown.astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(out, draw.choice(["png", "bmp", "tiff", "ppm"]))
    return out.getvalue(), values.astype(np.uint8)


FOLDER_CHANGES = (
    *("bit", "bit", "byte", "cut", "empty", "noise", "size", "jpeg", "rename", "class", "hidden", "litter", "stray"),
    *(
        "text",
        "pipe",
        "socket",
        "loop",
        "link",
        "broken",
        "device",
        "folder",
        "deep",
        "lone",
        "missing",
        "copy",
        "name",
    ),
)


def folder_case(draw: random.Random, root: Path) -> Case:
    """An image folder; each image's pixels are known, None where it must not be loaded."""
    path = root / "images"
    files: dict[str, tuple[bytes, np.ndarray | None]] = {}
    for part in ("train", "test"):
        for label in ("a", "b", "c"):
            for number in range(3):
                files[f"{part}/{label}/{number}.png"] = picture(draw)
    words, late = [], []
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        name = draw.choice(sorted(files))
        where = path / name
        data, pixels = files[name]
        what = draw.choice(FOLDER_CHANGES)
        words.append(f"{what} {name}")
        if what in ("bit", "byte") and not data.startswith(b"\x89PNG"):
            continue  # other formats have no checksum, so nobody can tell that their pixels were changed
        if what == "bit" and data:
            at = draw.randrange(len(data))
            files[name] = data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :], pixels
        elif what == "byte" and data:
            at = draw.randrange(len(data))
            files[name] = data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at:], pixels
        elif what == "cut" and data:
            files[name] = data[: draw.randrange(len(data))], pixels
        elif what in ("empty", "noise"):
            files[name] = b"" if what == "empty" else draw.randbytes(200), None
        elif what == "size":
            files[name] = picture(draw, 7, 3)[0], None
        elif what == "jpeg":
            out = io.BytesIO()
            Image.fromarray(np.full((5, 6), 77, np.uint8)).save(out, "jpeg", quality=100)
            files[name] = out.getvalue(), np.full((5, 6, 3), 77, np.uint8)
        elif what == "rename":
            new = f"{name.rpartition('/')[0]}/{draw.choice(NAMES)[:200]}.png"
            files[new] = files.pop(name)
        elif what == "class":
            label, new = name.split("/")[1], draw.choice(NAMES)
            files = {
                "/".join([part, new if old == label else old, *rest]): one
                for key, one in files.items()
                for part, old, *rest in [key.split("/")]
            }
        elif what in ("hidden", "litter", "stray", "text"):
            new = {"hidden": ".x.png", "litter": "Thumbs.db", "stray": "../x.png", "text": "x.txt"}[what]
            files[f"{name.rpartition('/')[0]}/{new}"] = (b"x", None)
        elif what in ("pipe", "socket", "loop", "link", "broken", "device", "folder"):
            late.append((what, where))
        elif what == "deep":
            files[f"{name.rpartition('/')[0]}/{'x/' * draw.choice([3, 300])}9.png"] = files.pop(name)
        elif what == "lone":
            files = {key: one for key, one in files.items() if not key.startswith("test/")}
        elif what == "missing":
            prefix = name.rpartition("/")[0]
            files = {key: one for key, one in files.items() if not key.startswith(f"{prefix}/")}
        elif what == "copy":
            files[f"{name[:-4]}-2.png"] = files[name]
        else:
            files[f"{name.rpartition('/')[0]}/{'n' * 300}.png"] = files.pop(name)
        if not files:
            break
    for name, (data, _) in list(files.items()):
        target = path / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except (OSError, UnicodeEncodeError):  # a name that no file can have
            del files[name]
    for what, where in late:
        beside = where.with_name(f"special-{what}.png")
        if not where.parent.is_dir():
            continue
        with contextlib.suppress(OSError):
            if what == "pipe":
                os.mkfifo(beside)
            elif what == "socket":
                with socket.socket(socket.AF_UNIX) as made:
                    made.bind(str(beside))
            elif what == "folder":
                (beside / "more").mkdir(parents=True)
            else:
                target = {"loop": ".", "broken": "nowhere.png", "device": "/dev/zero", "link": beside.name}[what]
                beside.symlink_to(target)
    entry = {"name": "image_folder", "path": str(path), "channels": 3}

    def check() -> None:
        loaded = load(entry)
        for part in ("train", "test"):
            expected = Counter(
                (key.split("/")[1], pixels.tobytes() if pixels is not None else b"must not be loaded")
                for key, (_, pixels) in files.items()
                if key.startswith(f"{part}/") and not key.endswith(("/.x.png", "/Thumbs.db"))
            )
            images, labels = getattr(loaded, f"{part}_images"), getattr(loaded, f"{part}_labels")
            found = Counter(
                (loaded.classes[label], np.ascontiguousarray(image.transpose(1, 2, 0)).tobytes())
                for image, label in zip(images, labels, strict=True)
            )
            if found != expected:
                raise WrongAnswerError(f"{part}: {sum((found - expected).values())} pictures are not those written")

    suite = write_suite(root, "{name: image_folder, path: images, channels: 3}")
    return Case(words, [["plan", str(suite)], ["data", "show", str(path), "--channels", "3"]], check)


def write_suite(root: Path, entry: str) -> Path:
    suite = root / "suite.yaml"
    suite.write_text(f"name: fuzz\ngrid:\n  model: mlp\n  epochs: 1\n  dataset: {entry}\n  validation: none\n")
    return suite


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


ARRAYS: tuple[Callable[[np.ndarray], Any], ...] = (
    *(lambda a: a.astype(np.float64), lambda a: a.astype(np.float16) / 3, lambda a: a.astype(np.int64)),
    *(lambda a: a.astype(">u2"), lambda a: a.astype(bool), lambda a: a.astype(object), lambda a: a.astype("U")),
    *(lambda a: a.astype(complex), lambda a: a[:-1], lambda a: a[:0], lambda a: a[None], lambda a: a[..., None]),
    *(lambda a: np.asfortranarray(a), lambda a: a.T, lambda a: a.reshape(-1), lambda a: np.array(a.size)),
    *(lambda a: a[..., None].repeat(2, -1), lambda a: np.eye(12)[a.reshape(-1) % 12], lambda a: a + 1),
    *(lambda a: a.astype(np.int64) - 1, lambda a: a.astype(np.uint64) + 2**63, lambda a: a.astype("m8[s]")),
    *(lambda a: np.zeros(len(a), [("x", "i4")]), lambda a: a * 0, lambda a: a[::-1], lambda a: a.astype(np.float32)),
)


def changed_archive(draw: random.Random, members: dict[str, bytes], words: list[str]) -> bytes:
    """A zip of the members, changed as a whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", draw.choice([0, 8, 12, 14])) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
        if draw.random() < 0.05:
            words.append("twice")
            with contextlib.suppress(UserWarning):
                archive.writestr(f"{next(iter(members))}.npy", members[next(iter(members))][:-1] + b"x")
    data = out.getvalue()
    for _ in range(draw.choice([0, 0, 1, 3])):
        what = draw.choice(["bit", "cut", "insert", "noise", "head", "before"])
        words.append(what)
        at = draw.randrange(max(1, len(data)))
        if what == "bit" and data:
            data = data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
        elif what == "cut":
            data = data[:at]
        elif what == "insert":
            data = data[:at] + draw.randbytes(3) + data[at:]
        elif what == "noise":
            data = data[:at] + draw.randbytes(30) + data[at + 30 :]
        elif what == "head":
            data = draw.choice([b"", b"PK\x03\x04", npy(np.zeros(3)), b"\x80\x04N.", b"text", b"\xff" * 40])
        else:
            data = b"#!/bin/sh\n" + data
    return data


def changed_members(draw: random.Random, arrays: dict[str, np.ndarray], words: list[str]) -> dict[str, bytes]:
    """The arrays as they lie in an archive, some of them other ones or none."""
    members = {name: npy(array) for name, array in arrays.items()}
    for _ in range(draw.choice([0, 1, 1, 2])):
        name = draw.choice(sorted(members))
        what = draw.choice(["other", "other", "other", "without", "more", "bytes", "header", "misspelt"])
        words.append(f"{what} {name}")
        if what == "other":
            with contextlib.suppress(Exception):
                members[name] = npy(np.asanyarray(draw.choice(ARRAYS)(arrays[name])))
        elif what == "without":
            del members[name]
        elif what == "more":
            members[draw.choice(["val_images", "x\x1b[2J", "weights", "", "labels"])] = members[name]
        elif what == "bytes":
            members[name] = draw.choice([b"", b"hello", b"\x93NUMPY", b"\x93NUMPY\x01\x00", members[name][:-3]])
        elif what == "header":
            data = bytearray(members[name])
            data[draw.randrange(6, 100)] = draw.randrange(256)
            members[name] = bytes(data)
        else:
            members[f"{name}s"] = members.pop(name)
        if not members:
            break
    return members


def npz_case(draw: random.Random, root: Path) -> Case:
    """A data set's archive; NumPy alone reads it for comparison."""
    values = np.random.default_rng(draw.getrandbits(32))
    count = draw.choice([6, 12])
    shape = draw.choice([(5, 4), (5, 4, 1), (5, 4, 3), (3, 5, 4), (1, 5, 4)])
    column = draw.random() < 0.3
    labels = np.arange(count) % 3
    arrays = {
        "train_images": values.integers(0, 256, (count, *shape), np.uint8),
        "train_labels": values.permutation(labels).reshape(-1, 1) if column else values.permutation(labels),
        "test_images": values.integers(0, 256, (count, *shape), np.uint8),
        "test_labels": values.permutation(labels),
    }
    if draw.random() < 0.5:
        arrays["classes"] = np.array([draw.choice(NAMES[:16]), "b", draw.choice(NAMES)])
    words: list[str] = []
    path = root / "data.npz"
    data = changed_archive(draw, changed_members(draw, arrays, words), words)
    path.write_bytes(data)

    def check() -> None:
        loaded = load({"name": "npz", "path": str(path)})
        with np.lib.npyio.NpzFile(io.BytesIO(data), allow_pickle=False) as read:
            for part in ("train", "test"):
                expected = read[f"{part}_images"]
                if expected.ndim == 3:
                    expected = expected[:, None]
                elif expected.shape[3] in (1, 3):
                    expected = np.moveaxis(expected, 3, 1)
                if not np.array_equal(getattr(loaded, f"{part}_images"), expected):
                    raise WrongAnswerError(f"{part}_images are not those written")
                if not np.array_equal(getattr(loaded, f"{part}_labels"), read[f"{part}_labels"].reshape(-1)):
                    raise WrongAnswerError(f"{part}_labels are not those written")
            if "classes" in read and list(loaded.classes) != read["classes"].tolist():
                raise WrongAnswerError("classes are not those written")

    suite = write_suite(root, "{name: npz, path: data.npz}")
    return Case(words, [["plan", str(suite)], ["data", "show", str(path)]], check)


def scores(draw: random.Random) -> np.ndarray:
    """Probabilities in eighths, which text keeps exactly, right in most rows; all rows have one largest."""
    random_values = np.random.default_rng(draw.getrandbits(32))
    said = np.where(random_values.random(60) < 0.8, LABELS, random_values.integers(0, 10, 60))
    found = np.zeros((60, 10))
    found[np.arange(60), said] = 0.625
    found[np.arange(60), (said + random_values.integers(1, 10, 60)) % 10] = 0.375
    return found


def add(path: Path, results: Path) -> list[list[str]]:
    return [["import", str(path), "--name", "x", "--dataset", "fashion-mnist", "--results", str(results)]]


def stored(results: Path, expected: np.ndarray | None) -> None:
    """What `bench import` stored is these classes; None where it should have stored nothing."""
    ledger = Ledger(results)
    (record,) = ledger.records()
    if expected is None:
        raise WrongAnswerError("stored what is no such prediction")
    if not np.array_equal(ledger.predictions(record.key).predicted, expected):
        raise WrongAnswerError("stored other classes than were written")


NO_NUMBERS = ("nan", "inf", "1_0", "-1", "1e400", "٣", "Trousers")

CSV_CHANGES = (
    *("row", "twice", "cell", "header", "column", "index", "separator", "labels", "wrong labels", "blank", "swap"),
)


def csv_case(draw: random.Random, root: Path) -> Case:
    """A CSV of predictions, read for comparison by the names in its header, or by nothing."""
    table = scores(draw)
    order = draw.sample(range(10), 10)
    header = draw.choice(["names", "numbers", "prefix", "none", "classes by name", "classes by number", "pandas"])
    words = [header]
    expected: np.ndarray | None = table.argmax(1)
    by = {"names": list(CLASSES), "numbers": [str(n) for n in range(10)], "prefix": [f"p_{n}" for n in range(10)]}
    if header in by:
        rows = [[by[header][n] for n in order], *table[:, order].tolist()]
    elif header == "none":
        rows = table.tolist()
    elif header == "classes by name":
        rows = [["predicted"], *([CLASSES[n]] for n in table.argmax(1))]
    else:
        rows = [*[["0"]] * (header == "pandas"), *([int(n)] for n in table.argmax(1))]
    separator = ","
    for _ in range(draw.choice([0, 1, 1, 2])):
        what = draw.choice(CSV_CHANGES)
        words.append(what)
        width = len(rows[0])
        if what == "row":
            at = draw.randrange(len(rows))
            del rows[at]
            if at and header == "pandas":  # nobody can tell its header, 0, from a prediction of the missing image
                expected = ANYTHING
            elif at or header in ("none", "classes by number"):
                expected = None
            elif width > 1:  # what a header said of the order is gone with it
                expected = ANYTHING
        elif what == "twice":
            rows.insert(1, list(rows[-1]))
            expected = None
        elif what == "cell":
            row = draw.randrange(1, len(rows))
            rows[row][draw.randrange(width)] = draw.choice([*NAMES, *NO_NUMBERS])
            expected = None
        elif what == "header":
            rows[0][draw.randrange(width)] = draw.choice([*NAMES, "Trousers", "11", "T-shirt/top", "0.0"])
            expected = None if header in by or header == "none" else expected
        elif what == "column":
            for row in rows:
                row.pop()
            expected = None
        elif what == "index":
            for number, row in enumerate(rows):
                row.insert(0, number - 1 if number or header == "none" else "")
            expected = None
        elif what == "separator":
            separator = draw.choice([";", "\t", " "])
            expected = expected if width == 1 else None
        elif what in ("labels", "wrong labels") and header != "none" and len(rows) == 61 and rows[0][0] != "0":
            rows[0].append("labels")
            for row, label in zip(rows[1:], LABELS if what == "labels" else (LABELS + 1) % 10, strict=True):
                row.append(int(label))
            expected = expected if what == "labels" else None
        elif what == "blank":
            rows.insert(draw.randrange(len(rows)), [])
        elif what == "swap" and header in by:
            rows[0][0], rows[0][1] = rows[0][1], rows[0][0]
            names = rows[0][:10]
            if sorted(map(str, names)) == sorted(by[header]) and expected is not None:
                plain = np.array([row[:10] for row in rows[1:] if row], float)
                expected = plain[:, [names.index(name) for name in by[header]]].argmax(1)
        if not rows or not rows[0]:
            break
    if expected is None and len(words) > 2:  # one change may take another back
        expected = ANYTHING
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    data = out.getvalue().encode(errors="surrogateescape")
    if draw.random() < 0.1:
        words.append("bytes")
        at = draw.randrange(max(1, len(data)))
        data = data[:at] + draw.choice([b"\0", b"\xff", b'"', b"\r", b"\n\n"]) + data[at:]
        expected = ANYTHING
    path = root / "said.csv"
    path.write_bytes(data)
    results = root / "results"
    if expected is ANYTHING:
        return Case(words, add(path, results), lambda: None, results)
    return Case(words, add(path, results), lambda: stored(results, expected), results)


ANYTHING = np.array(-1)
"""Of texts in which a byte was put anywhere: it may be read as another number, but must not end in an exception."""


def predicted_npz_case(draw: random.Random, root: Path) -> Case:
    """An archive of predictions; NumPy alone reads it for comparison."""
    table = scores(draw)
    kind = draw.choice(["predicted", "probabilities", "logits"])
    arrays = {kind: table.argmax(1) if kind == "predicted" else table, "labels": LABELS}
    if kind == "predicted" and draw.random() < 0.3:
        arrays = {name: array[:, None] for name, array in arrays.items()}
    words = [kind]
    data = changed_archive(draw, changed_members(draw, arrays, words), words)
    path = root / "said.npz"
    path.write_bytes(data)
    results = root / "results"

    def check() -> None:
        with np.lib.npyio.NpzFile(io.BytesIO(data), allow_pickle=False) as read:
            there = [name for name in ("predicted", "probabilities", "logits") if name in read]
            values = read[there[0]]
            stored(results, values.reshape(-1) if there == ["predicted"] else values.argmax(1))

    return Case(words, add(path, results), check, results)


MAKE = {"folder": folder_case, "npz": npz_case, "csv": csv_case, "predicted npz": predicted_npz_case}


def run(command: list[str]) -> tuple[int, str, float]:
    """The exit code of a command, what it printed, and its processor time."""
    out = io.StringIO()
    begun = time.process_time()
    code: Any = 1
    with (
        patch.object(sys, "argv", ["bench", *command]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        try:
            bench_main()
        except SystemExit as end:
            code = 0 if end.code is None else end.code
    return code, out.getvalue(), time.process_time() - begun


def tried(seed: int, number: int, show_said: bool = False) -> tuple[str, list[str], str, float]:
    """The kind of a mutation, its words, what became of it, and the processor time of its slowest command."""
    draw = random.Random(f"{seed} {number}")
    kind = draw.choices(list(KINDS), list(KINDS.values()))[0]
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    slowest, words = 0.0, ["not made"]
    try:
        with patch.dict(os.environ, XDG_CACHE_HOME=str(root / "cache")):
            case = MAKE[kind](draw, root)
            words = case.words
            codes = []
            for command in case.commands:
                code, said, seconds = run(command)
                codes.append(code)
                slowest = max(slowest, seconds)
                if show_said:
                    print(f"bench {' '.join(command)}: {code}\n{said}")
                if code not in (0, 2) or "failed unexpectedly" in said:
                    raise WrongAnswerError(f"exit code {code}: {said.strip().splitlines()[-1:]}")
                if found := control_character(said):
                    raise WrongAnswerError(f"printed {found!r}")
            if codes[-1] == 0:
                if codes[0] != 0:
                    raise WrongAnswerError("the plan refuses what is loaded")
                case.check()
            if slowest > MOST_SECONDS:
                raise WrongAnswerError(f"took {slowest:.1f} s")
            return kind, words, "loaded" if codes[-1] == 0 else "refused", slowest
    except Exception as error:
        if show_said:
            traceback.print_exc()
        return kind, words, f"WRONG: {type(error).__name__}: {error}", slowest
    finally:
        subprocess.run(["rm", "-rf", root], check=False)  # folders deeper than `shutil.rmtree` can go


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one mutation by its number, and what was said of it")
    arguments = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    numbers = range(arguments.count) if arguments.only is None else [arguments.only]
    seen: Counter[tuple[str, str]] = Counter()
    wrong, slowest, begun = [], 0.0, time.time()
    with patch.object(bench.data, "load", load_small):
        for number in numbers:
            kind, words, became, seconds = tried(arguments.seed, number, arguments.only is not None)
            slowest = max(slowest, seconds)
            seen[kind, became.split(":")[0]] += 1
            if became.startswith("WRONG"):
                wrong.append(number)
                print(ascii(f"{number} ({kind}; {', '.join(words)}): {became}")[1:-1], flush=True)
    for (kind, became), count in sorted(seen.items()):
        print(f"{kind:15} {became:10} {count:6,}")
    took = f"the slowest command took {slowest:.2f} s of processor time; {time.time() - begun:.0f} s in all"
    print(f"{len(wrong)} of {len(numbers):,} wrong; {took}")
    sys.exit(bool(wrong))


def load_small(dataset: Any, *more: Any) -> Dataset:
    """As `bench.data.load`, but for the data set that predictions are of."""
    return TEST if dataset == "fashion_mnist" else load(dataset, *more)


if __name__ == "__main__":
    main()
