"""The first word on a suite file comes within a second or so of processor time, whatever stands in it.

The bound here is wider, since tests run on machines that are busy with others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.suite.suite import load_suite

HUNDRED = ", ".join(map(str, range(1, 101)))
LARGE = f"name: t\ngrid:\n  model: mlp\n  batch_size: {{grid: [{HUNDRED}]}}\n  epochs: {{grid: [{HUNDRED}]}}\n"
"""A grid of 10,000, which is the limit."""
TOP = "name: t\ngrid:\n  model: mlp\n"


def some(count: int, text: Callable[[int], str]) -> str:
    return ", ".join(map(text, range(1, count + 1)))


def ones(count: int) -> str:
    return some(count, lambda _: "1")


FILES = {
    "a full grid": LARGE,
    "a full grid that is wrong": LARGE + "  regularizer: stochastic_depth\n",
    "as many draws": TOP + "  optimizer: {name: adam, lr: {log_uniform: [1e-5, 1e-1]}}\n  samples: 10000\n",
    "as many draws that are wrong": TOP + "  optimizer: {name: adam, lr: {uniform: [-1, 1]}}\n  samples: 10000\n",
    "many patterns": LARGE
    + f"exclude: [{some(900, lambda i: f'{{model: mlp, batch_size: {i}, epochs: {i % 100 + 1}}}')}]\n",
    "many references": LARGE
    + f"references: [{some(900, lambda i: f'{{id: a{i}, match: {{model: mlp, batch_size: 3, epochs: 7}}}}')}]\n",
    "references that match everything": LARGE
    + f"references: [{some(300, lambda i: f'{{id: a{i}, match: {{model: mlp}}}}')}]\n",
    "many rules": LARGE
    + f"  workers: {{rules: [{some(50, lambda i: f'{{match: {{batch_size: {i}, epochs: {i}}}, workers: 1}}')}]}}\n",
    "many sub-grids": f"name: t\ngrid: [{some(2200, lambda _: '{model: mlp}')}]\n",
    "a long list": f"name: t\ngrid: {{model: {{name: mlp, hidden: [{ones(19000)}]}}}}\n",
    "long lists by aliases": f"title: &a [{ones(400)}]\n{TOP}  loss: [{some(100, lambda _: '*a')}]\n",
    "many unknown names": TOP + f"  loss: [{some(4500, lambda i: f'loss{i}')}]\n",
    "many unknown parameters": TOP + f"  optimizer: {{name: adam, {some(4500, lambda i: f'lr{i}: 1')}}}\n",
    "many unknown keys": TOP + "".join(f"epochs{i}: 1\n" for i in range(4000)),
    "many unknown axes": TOP + f"defaults: {{{some(5000, lambda i: f'epochs{i}: 1')}}}\n",
    "many keys of a union": TOP + f"  validation: {{{some(5000, lambda i: f'tail{i}: 1')}}}\n",
    "a pattern of many stars": f"name: t\ngrid: {{model: '{'a' * 5000}:x'}}\nexclude: [{{model: '{'*a' * 5000}b'}}]\n",
    "a long name": TOP + f"  loss: {'crossentropy' * 5000}\n",
}


@pytest.mark.parametrize("case", FILES)
def test_the_answer_comes_soon(tmp_path: Path, case: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(FILES[case])
    started = time.thread_time()
    try:
        load_suite(path)
    except UserError as error:
        assert str(error)
    assert time.thread_time() - started < 4


def test_what_takes_longer_is_told_before(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(f"limit: 20000\n{LARGE}  seeds: 2\n")
    told: list[str] = []
    load_suite(path, notify=told.append)
    assert told == [f"{path}: grid stands for 20,000 trials, which take a while to list"]
