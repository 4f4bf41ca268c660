"""Whole numbers are floats where the text of a factory says that it takes floats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.commands.load_suites import load, trials_of
from bench.user_code.component_code import floats_spelled_out
from bench.user_code.read_code import read

FACTORIES = """
import typing
from typing import Optional, Sequence

def net(input_shape, classes, rate: float = 1, may: float | None = None, maybe: Optional[float] = None,
        text: "typing.Optional[float]" = None, pair: tuple[float, int] = (1, 1), any_length: Sequence[float] = (),
        repeated: tuple[float, ...] = (), whole: int = 1, either: int | float = 1, unknown=None,
        default=0.5, negative=-0.5, defaults=(0.9, 1), several=[1, 0.5], count=3, flag: bool = True, bad: "fl oat" = 1,
        *, keyword: float, word="a", made=net2()):
    ...

class Net(nn.Module):
    width: float = 1

    def __init__(self, input_shape, classes, rate=1.0): ...

class Child(Net): ...

partial = functools.partial(net)

def again(input_shape, classes, rate=1): ...
def again(input_shape, classes, rate=1.0): ...
"""


@pytest.mark.parametrize(
    ("factory", "given", "wanted"),
    [
        ("net", {"rate": 1, "may": 2, "maybe": 3, "text": 4}, {"rate": 1.0, "may": 2.0, "maybe": 3.0, "text": 4.0}),
        ("net", {"pair": [1, 2], "any_length": [1, 2.5]}, {"pair": [1.0, 2], "any_length": [1.0, 2.5]}),
        ("net", {"repeated": [1, 2], "keyword": 3}, {"repeated": [1.0, 2.0], "keyword": 3.0}),
        ("net", {"default": 1, "negative": -1}, {"default": 1.0, "negative": -1.0}),
        ("net", {"defaults": [1, 1], "several": [1, 2, 3]}, {"defaults": [1.0, 1], "several": [1.0, 2.0, 3.0]}),
        ("net", {"rate": "a", "may": None, "pair": [1], "default": True, "rat": 1}, None),
        (
            "net",
            {"whole": 1, "either": 1, "unknown": 1, "count": 2, "flag": True, "word": 1, "made": 1, "bad": 1},
            None,
        ),
        ("net", {"rate": 10**400}, None),
        ("Net", {"rate": 1}, {"rate": 1.0}),
        ("Child", {"rate": 1}, None),
        ("partial", {"rate": 1}, None),
        ("again", {"rate": 1}, {"rate": 1.0}),
        ("absent", {"rate": 1}, None),
    ],
)
def test_whole_numbers_are_floats_where_the_factory_takes_floats(
    factory: str, given: dict[str, Any], wanted: dict[str, Any] | None, tmp_path: Path
) -> None:
    (tmp_path / "nets.py").write_text(FACTORIES)
    code = read({"name": f"nets.py:{factory}"}, tmp_path)
    assert code
    found = floats_spelled_out({"name": code.name, **given}, code)
    assert repr(found) == repr({"name": code.name, **(wanted or given)})


def test_a_file_that_is_no_python_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("def net(:")
    code = read({"name": "nets.py:net"}, tmp_path)
    assert code
    assert floats_spelled_out({"name": code.name, "rate": 1}, code) == {"name": code.name, "rate": 1}


def test_a_rate_has_one_key_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("def net(input_shape, classes, rate: float, width=8): ...\n")
    suite = tmp_path / "suite.yaml"
    keys = {}
    for rate in ("1", "1.0", "{grid: [1, 1.0]}", "2"):
        suite.write_text(f"name: t\ngrid: {{model: {{name: 'nets.py:net', rate: {rate}, width: 8}}, seeds: 1}}\n")
        loaded = load(str(suite), None, None, None)
        assert loaded.location("model", loaded.configurations[0][0]["model"]).startswith(f"{suite}:2")
        keys[rate] = [trial.key for trial in trials_of(loaded)]
    assert keys["1"] == keys["1.0"] == keys["{grid: [1, 1.0]}"] != keys["2"]
