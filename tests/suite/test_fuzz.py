"""Whatever stands in a file, the answer is a suite or a message; never another exception, and never a long wait.

`BENCH_FUZZ=100 pytest tests/suite/test_fuzz.py` looks longer.
"""

from __future__ import annotations

import json
import string
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzzing import TIMES
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.components import AXES
from bench.errors import UserError
from bench.jsonutil import canonical
from bench.suite.find_suite import shipped_suites
from bench.suite.schema import BLOCK_KEYS, SWEEPS, SuiteFile
from bench.suite.suite import load_suite

FOLDER = tempfile.TemporaryDirectory()
QUICKLY = settings(max_examples=100 * TIMES)
LIMIT = 3.0
"""Seconds of processor time for an answer."""

names = [name for entries in AXES.values() for name in entries]
parameters = sorted({key for entries in AXES.values() for entry in entries.values() for key in entry.model_fields})
words = st.sampled_from([*names, *parameters, *BLOCK_KEYS, *SuiteFile.model_fields, *SWEEPS, "none", "combine", "tail"])
scalars = st.none() | st.booleans() | st.integers(-2, 300) | st.integers() | st.floats() | words | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
blocks = st.dictionaries(st.sampled_from(BLOCK_KEYS), values, max_size=4).map(lambda block: {"model": "mlp", **block})
files = st.fixed_dictionaries(
    {"name": st.just("fuzz"), "grid": blocks | st.lists(blocks, max_size=3)},
    optional={key: values for key in SuiteFile.model_fields if key not in ("name", "grid")} | {"defaults": blocks},
)

mutations = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 12),
        st.text(alphabet=st.sampled_from(string.printable + "éÿ\x00\x85\u2028\ufeff"), max_size=4) | words,
    ),
    min_size=1,
    max_size=4,
)


def answer(data: bytes, **options: Any) -> None:
    path = Path(FOLDER.name) / "suite.yaml"
    path.write_bytes(data)
    started = time.thread_time()
    try:
        suite = load_suite(path, **options)
    except UserError as error:
        assert str(error)
        assert "pydantic" not in str(error)
        str(error).encode()  # can be printed
    else:
        assert suite.configurations
        texts = [canonical(config) for config, _ in suite.configurations]
        assert len(set(texts)) == len(texts), "no configuration stands twice"
    assert time.thread_time() - started < LIMIT


@given(files | values)
@QUICKLY
def test_any_structure(data: Any) -> None:
    answer(json.dumps(data).encode())  # JSON is YAML


@given(st.sampled_from(sorted(shipped_suites())), mutations)
@QUICKLY
def test_any_change_of_a_good_file(name: str, changes: list[tuple[int, int, str]]) -> None:
    text = shipped_suites()[name].read_text()
    for at, length, new in changes:
        at %= len(text) + 1
        text = text[:at] + new + text[at + length :]
    answer(text.encode())


@given(st.binary(max_size=200))
@settings(QUICKLY, max_examples=50 * TIMES)
def test_any_bytes(data: bytes) -> None:
    answer(b"name: t\ngrid: {model: mlp}\n" + data)


@given(st.sampled_from(["only", "cli_overrides"]), words | st.text(max_size=8), scalars | st.text(max_size=10))
@example("only", "ema", None)  # a setting that configurations name only where it is set
@QUICKLY
def test_any_option(option: str, key: str, value: object) -> None:
    answer(shipped_suites()["quick"].read_bytes(), **{option: [f"{key}={value}"]})
