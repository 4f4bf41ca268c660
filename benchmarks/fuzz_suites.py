"""Whatever a suite file says, is there an answer? ``python benchmarks/fuzz_suites.py [--count N] [--seed N]``.

Claim: of 10,000 suite files that differ from the shipped ones by one to three mutations, each is loaded or answered
with a message (no other exception), none takes more than `--seconds` of processor time, and no value of a grid that was
replaced by another is ignored: the suite that loads is another one. Structure is mutated (values replaced, keys
dropped, renamed, doubled, moved, lists emptied or filled with `null`) in nine of ten files, text in the tenth. Every
fiftieth is also checked against torch and timm, as `bench plan` does. What is found is printed with its file at once.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import string
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.components import AXES
from bench.errors import UserError
from bench.jsonutil import canonical
from bench.suite.find_suite import shipped_suites
from bench.suite.schema import BLOCK_KEYS, SuiteFile
from bench.suite.suite import load_suite

NAMES = [name for entries in AXES.values() for name in entries]
KEYS = [
    *BLOCK_KEYS,
    *SuiteFile.model_fields,
    "name",
    "lr",
    "grid",
    "log_uniform",
    "choice",
    "combine",
    "rules",
    "match",
]
VALUES: list[Any] = [
    *(None, True, False, "no", "yes", "off", "true", "", " ", "none", "nan", "inf", "1e-3", "0,001", "1_000", "0x10"),
    *("a\nb", "\x1b[31m", "ñ", "name", 0, 1, -1, 2, 3.5, 1e-320, 1e308, float("nan"), float("inf"), 10**9, 10**30),
    *(
        [],
        {},
        [[]],
        [None],
        [0],
        [1, 2],
        ["none"],
        {"name": "adam"},
        {"grid": []},
        {"grid": [1, None]},
        {"choice": [1]},
    ),
    *({"log_uniform": [1e-4, 1e-1], "n": 3}, {"combine": []}, list(range(60)), {"grid": list(range(500))}),
]
Path_ = tuple[Any, ...]


@dataclass
class Findings:
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    count: int = 0

    def add(self, problem: str) -> None:
        self.count += 1
        print(problem, flush=True)


def paths(node: Any, here: Path_ = ()) -> list[Path_]:
    """The paths of all values inside a parsed file."""
    found = [here] if here else []
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        found += paths(value, (*here, key))
    return found


def parent(data: Any, path: Path_) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


def mutate(data: Any, rng: random.Random) -> str:
    """Change one place of a parsed file; what was done, in words."""
    path = rng.choice(paths(data))
    owner, key = parent(data, path), path[-1]
    value = copy.deepcopy(rng.choice(VALUES)) if rng.random() < 0.8 else rng.choice(NAMES)
    match rng.choice(["replace", "replace", "replace", "drop", "rename", "double", "null", "wrap", "move"]):
        case "replace":
            owner[key] = value
            return f"{path} is {value!r}"
        case "drop":
            del owner[key]
            return f"{path} is dropped"
        case "rename" if isinstance(owner, dict):
            new = rng.choice([*KEYS, str(key)[:-1] or "x", f"{key}s", str(key).upper(), "\x00"])
            owner[new] = owner.pop(key)
            return f"{path} is renamed to {new!r}"
        case "double" if isinstance(owner, list):
            owner.insert(key, copy.deepcopy(owner[key]))
            return f"{path} is doubled"
        case "null" if isinstance(owner, list):
            owner.insert(key, None)
            return f"null before {path}"
        case "wrap":
            owner[key] = rng.choice(
                [[owner[key]], {"grid": [owner[key]]}, {"combine": [owner[key]]}, {"name": owner[key]}]
            )
            return f"{path} is wrapped"
        case _:
            others = [other for other in paths(data) if other[: len(path)] != path]
            if others:
                target = rng.choice(others)
                parent(data, target)[target[-1]] = copy.deepcopy(owner[key])
                return f"{path} is copied to {target}"
            return "nothing"


def mutate_text(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    new = "".join(rng.choices(string.printable + "é\x00\x85\u2028\ufeff&*!%@`", k=rng.randrange(5)))
    return text[:at] + new + text[at + rng.randrange(13) :]


def meaning(suite: Any) -> str:
    """Everything a suite asks for, as text."""
    return canonical(
        [
            [suite.name, suite.title, suite.description, suite.references, suite.metrics, suite.repeated],
            suite.configurations,
            suite.pruning.model_dump(mode="json") if suite.pruning else None,
            suite.sampling_seed,
        ]
    )


def same_value(old: Any, new: Any) -> bool:
    """Whether two values of a file mean the same where a number or text stands."""
    return old == new or str(old) == str(new)


def judge(path: Path, findings: Findings, what: str, seconds: float, check: bool) -> Any:
    """Load one file as `bench plan` does; its suite or None."""
    start = time.process_time()
    suite = None
    try:
        if check:
            from bench.commands.check_suites import checked_for_plan
            from bench.commands.load_suites import load, trials_of

            suite = load(str(path), [], [], None, user_code=False)
            checked_for_plan(suite, trials_of(suite))
        else:
            suite = load_suite(path)
        findings.answers["loaded"] += 1
    except UserError as error:
        findings.answers["message"] += 1
        text = str(error)
        if not text or "pydantic" in text or "Traceback" in text:
            findings.add(f"{what}: no good message: {text!r}")
        if any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
            findings.add(f"{what}: control characters in the message: {text!r}")
    except Exception:
        findings.answers["exception"] += 1
        findings.add(f"{what}: {traceback.format_exc()}\n{path.read_bytes()!r}")
    took = time.process_time() - start
    findings.slowest = max(findings.slowest, took)
    if took > seconds and not check:  # building each of a large suite's networks takes longer, once in an installation
        findings.add(f"{what}: {took:.1f} s\n{path.read_bytes()!r}")
    return suite


def fuzz(count: int, seed: int, seconds: float, folder: Path) -> Findings:
    rng = random.Random(seed)
    texts = {name: path.read_text() for name, path in sorted(shipped_suites().items())}
    originals = {name: meaning(load_suite(path)) for name, path in sorted(shipped_suites().items())}
    findings = Findings()
    file = folder / "suite.yaml"
    for number in range(count):
        name = rng.choice(sorted(texts))
        if rng.random() < 0.1:
            text = texts[name]
            for _ in range(rng.randrange(1, 4)):
                text = mutate_text(text, rng)
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
            judge(file, findings, f"{number} {name}: text", seconds, check=False)
            continue
        data = yaml.safe_load(texts[name])
        before = copy.deepcopy(data)
        done = [mutate(data, rng) for _ in range(rng.choice([1, 1, 2, 3]))]
        try:
            file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
        except (yaml.YAMLError, RecursionError):
            continue
        what = f"{number} {name}: {'; '.join(done)}"
        suite = judge(file, findings, what, seconds, check=number % 50 == 0)
        if (
            suite is not None
            and len(done) == 1
            and replaced_in_a_grid(before, data)
            and meaning(suite) == originals[name]
        ):
            findings.answers["without effect"] += 1
            findings.add(f"{what}: loaded, and asks for what the file asked for before")
    return findings


def replaced_in_a_grid(before: Any, after: Any) -> bool:
    """Whether the one change is a value under `grid` that is another than before, or a `null` more."""
    old, new = before.get("grid"), after.get("grid")
    return type(old) is type(new) and old != new and not _equal_meaning(old, new)


def _equal_meaning(old: Any, new: Any) -> bool:
    """Lists of one value, doubled values, and numbers in another writing ask for the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            return True  # a key more or less may name a default
        return all(_equal_meaning(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        rest = [value for value in new if value not in old]
        gone = [value for value in old if value not in new]
        if not rest and not gone:
            return True
        if len(rest) == len(gone):
            return all(map(_equal_meaning, gone, rest))
        return False
    return same_value(old, new) or new in ([old], {"grid": [old]}, {"name": old}, {"combine": [old]}) or old in ([new],)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0, help="the most processor time that one file may take")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        os.environ["XDG_CACHE_HOME"] = text
        findings = fuzz(arguments.count, arguments.seed, arguments.seconds, Path(text))
    counts = ", ".join(f"{count:,} {name}" for name, count in findings.answers.most_common())
    print(f"{arguments.count:,} files: {counts}; slowest {findings.slowest:.2f} s; {findings.count} findings")
    sys.exit(1 if findings.count else 0)


if __name__ == "__main__":
    main()
