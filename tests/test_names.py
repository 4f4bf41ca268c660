"""The package's words: a name means one thing, and things have the names of PyTorch, Ray, scikit-learn and statistics.

What is not yet renamed is counted in `REMAINING`, an upper bound for each word: it may fall and never rise.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bench"

_OLD_WORDS = """
    picture pictures figure figures share shares entry level levels place places kept shown beside own is_own one found
    mine theirs ours said told here there both rest asked seen whole Measured chosen_epoch true_confidence arithmetic
    Board Todo Tally View lost tries _Source _Judge _Collector _Driver Far _Shelf _Line _Teller Share Course Chooser
    Average Ranks ALONE Keeper gathered agreed judged draws around policies conflict JUDGED_LATER OPEN Draw
    Level Home Claims away AwayError send_kept strangers outside Said twins route tied behind suspects
    quoted Claim Block closer detailed glance apart leaders Kin Begun Asked differed grace reduction widen border
"""
OLD_WORDS = _OLD_WORDS.split()
"""Identifiers for which the field has a word: an image, a metric, a fraction, a value of an axis, a component, ..."""

REMAINING: dict[str, int] = {
    "figures": 4,
    "entry": 56,
    "level": 3,
}
"""How often each of `OLD_WORDS` may still stand in the package; none of the others."""

OLD_SENTENCES = (
    "explores: no claim",
    "explore: no claim",
    "validation chooses, test judges",
    "top of a sorted list is lucky",
    "whose class was told",
    "nothing is lost by it",
    "adds none that nothing waits for",
    "guard nothing",
    "nothing alike has run",
    "labels worth a look",
    "leaders against each other",
    "what tuning brings",
    "how training went",
    "cannot be told from",
    "--probe",
    "bench add ",
)
"""Sentences that were replaced by plain ones; neither the package nor the documentation has them."""

REMAINING_SENTENCES: dict[str, int] = {}
"""Upper bounds for sentences that the report still prints."""

REMAINING_MODULES: dict[str, int] = {}
REMAINING_CLASSES: dict[str, int] = {}
REMAINING_LONG_FUNCTIONS: dict[str, int] = {}
"""Names that still stand for several modules or classes, and functions of more than 80 lines, with their number."""

MAX_LINES = 80
MAX_UNTYPED = 59
"""Of `dict[str, Any]`: plain data belongs at the edges to YAML and JSON."""


@cache
def sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(text) for path, text in sources().items()}


def test_no_two_modules_share_a_name() -> None:
    names = Counter(path.stem for path in sources() if path.stem != "__init__")
    assert {name: count for name, count in names.items() if count > REMAINING_MODULES.get(name, 1)} == {}


def test_no_two_classes_share_a_name() -> None:
    names = Counter(node.name for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert {name: count for name, count in names.items() if count > REMAINING_CLASSES.get(name, 1)} == {}


@cache
def identifiers() -> Counter[str]:
    return Counter(
        token.string
        for text in sources().values()
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME
    )


@pytest.mark.parametrize("word", OLD_WORDS)
def test_the_fields_word_is_used(word: str) -> None:
    assert identifiers()[word] <= REMAINING.get(word, 0)


@pytest.mark.parametrize("sentence", OLD_SENTENCES)
def test_the_plain_sentence_is_used(sentence: str) -> None:
    files = [
        path
        for folder, endings in (("bench", (".py", ".j2", ".js")), ("docs", (".md",)))
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in endings
    ]
    counts = {
        str(path.relative_to(ROOT)): count
        for path in [ROOT / "README.md", *files]
        if (count := " ".join(path.read_text(encoding="utf-8").lower().split()).count(sentence))
    }
    assert sum(counts.values()) <= REMAINING_SENTENCES.get(sentence, 0), counts


def test_functions_fit_on_a_screen() -> None:
    lengths: dict[str, int] = defaultdict(int)
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(PACKAGE)}:{node.name}"
                lengths[name] = max(lengths[name], (node.end_lineno or 0) - node.lineno + 1)
    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_LINES}
    assert {name: lines for name, lines in too_long.items() if lines > REMAINING_LONG_FUNCTIONS.get(name, 0)} == {}


def test_plain_dictionaries_stay_at_the_edges() -> None:
    assert sum(text.count("dict[str, Any]") for text in sources().values()) <= MAX_UNTYPED
