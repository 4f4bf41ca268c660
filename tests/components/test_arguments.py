"""What a function takes is read off it, and what does not fit is told with the way to write it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

import pytest

from bench.components.arguments import accepted_types, misfits, number_hint, type_hints

if TYPE_CHECKING:
    from no_such_package import Unknown  # type: ignore[import-not-found]


class Tensor:
    """Stands for a class that no suite file can hold."""


def plain(  # type: ignore[no-untyped-def]
    flag=False,
    count=3,
    rate=0.5,
    pair=(0.9, 0.999),
    mixed=(True, "a", None),
    sizes=[8, 8],  # noqa: B006
    word="relu",
    kind=None,
    block={},  # noqa: B006
):
    """What has defaults only."""


def annotated(
    lr: float | Tensor = 1e-3,
    betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
    eps: tuple[float | None, float] = (None, 1e-3),
    steps: int = 5,
    depths: tuple[int, ...] = (3, 3),
    dims: Sequence[int] = (3, 3),
    loose: tuple[int] = (3, 3),  # type: ignore[assignment]
    mode: Literal["a", "b"] = "a",
    may: Optional[float] = None,  # noqa: UP045
    implicit: float = None,  # type: ignore[assignment]  # noqa: RUF013
    layer: Union[str, Callable[..., Any]] = "bn",  # noqa: UP007
    either: bool | str = "auto",
    dtype: Optional[Tensor] = None,  # noqa: UP045
    needed: bool = ...,  # type: ignore[assignment]
) -> None:
    """What has annotations."""


def unresolved(other: Unknown = None, flag: bool = False, *, steps: int = 3, needed: Annotated[bool, "x"]) -> Unknown:
    """Annotations of which some cannot be looked up: there the defaults are left."""


@functools.wraps(unresolved)
def wrapped(*_: Any, **__: Any) -> None:
    """Is told by what it wraps."""


@dataclass
class Unresolved:
    other: Unknown = None
    steps: int = 3


class Inherited(Unresolved):
    another: Unknown = None
    flag: bool = False


class Base:
    def __init__(self, width: int = 8, bias: bool = True) -> None: ...


class Child(Base):
    def __init__(self, rate: float = 0.5, **more: Any) -> None: ...


@dataclass
class Config:
    shape: tuple[int, int] = (1, 2)
    deep: bool = False


NO, ON = "`no` is text in YAML 1.2: write false", "`on` is text in YAML 1.2: write true"


@pytest.mark.parametrize(
    ("function", "name", "value", "message"),
    [
        (plain, "flag", "no", f"`flag` must be true or false, not 'no'\n  {NO}"),
        (plain, "flag", "on", f"`flag` must be true or false, not 'on'\n  {ON}"),
        (plain, "flag", "False", "`flag` must be true or false, not 'False'\n  write it without quotes: false"),
        (plain, "flag", 0, "`flag` must be true or false, not 0\n  write false"),
        (plain, "flag", 1, "`flag` must be true or false, not 1\n  write true"),
        (plain, "flag", None, "`flag` must be true or false, not an empty value"),
        (plain, "count", True, "`count` must be a number, not true"),
        (plain, "count", "8", "`count` must be a number, not '8'\n  write it without quotes: 8"),
        (plain, "rate", False, "`rate` must be a number, not false"),
        (plain, "rate", [0.5], "`rate` must be a number, not [0.5]"),
        (plain, "rate", "0,001", "not '0,001'\n  a number has a decimal point, not a comma: 0.001"),
        (plain, "rate", ".nan", "not '.nan'\n  a number here must be finite"),
        (plain, "pair", [0.9], "`pair` must be a list of 2 numbers, not [0.9]"),
        (plain, "pair", [0.9, 0.9, 0.9], "`pair` must be a list of 2 numbers"),
        (plain, "pair", [0.9, True], "`pair` must be a list of 2 numbers, not [0.9, true]"),
        (plain, "pair", 0.9, "`pair` must be a list of 2 numbers, not 0.9"),
        (plain, "mixed", ["yes", "a", None], "`mixed` must be a list of 3 values"),
        (plain, "sizes", [8, True], "`sizes` must be a list of numbers, not [8, true]"),
        (plain, "sizes", 8, "`sizes` must be a list of numbers, not 8"),
        (plain, "word", True, "`word` must be text, not true"),
        (plain, "kind", "off", "`kind` holds text where a boolean or a number seems meant: 'off'"),
        (plain, "kind", {"a": ["1_000"]}, "write it without underscores: 1000"),
        (plain, "block", 3, "`block` must be a mapping, not 3"),
        (plain, "block", {"bias": "no"}, NO),
        (plain, "unknown", "yes", "`unknown` holds text"),
        (annotated, "lr", True, "`lr` must be a number, not true"),
        (annotated, "betas", [0.9, 0.9, 0.9], "`betas` must be a list of 2 numbers"),
        (annotated, "eps", [True, 1e-3], "`eps` must be a list of 2 values"),
        (unresolved, "steps", 1.5, "`steps` must be a whole number, not 1.5"),
        (unresolved, "needed", "no", f"`needed` must be true or false, not 'no'\n  {NO}"),
        (unresolved, "other", "no", f"`other` holds text where a boolean or a number seems meant: 'no'\n  {NO}"),
        (wrapped, "steps", 1.5, "`steps` must be a whole number, not 1.5"),
        (Unresolved, "steps", 1.5, "`steps` must be a whole number, not 1.5"),
        (annotated, "steps", 1e3, "must be a whole number, not 1000.0\n  write it as a whole number: 1000"),
        (annotated, "steps", "1e3", "must be a whole number, not '1e3'\n  write it without quotes: 1000"),
        (annotated, "depths", [1.5], "`depths` must be a list of whole numbers"),
        (annotated, "mode", "c", "`mode` must be one of 'a', 'b', not 'c'"),
        (annotated, "may", "no", "`may` must be a number, not 'no'"),
        (annotated, "implicit", "1", "`implicit` must be a number"),
        (annotated, "layer", False, "`layer` must be text, not false"),
        (annotated, "either", "no", NO),
        (annotated, "dtype", "true", "`dtype` holds text"),
        (annotated, "needed", 1, "`needed` must be true or false"),
        (unresolved, "flag", "no", NO),
        (Child, "bias", "no", NO),
        (Child, "rate", True, "`rate` must be a number"),
        (Config, "deep", 1, "write true"),
        (Config, "shape", [1, 2, 3], "a list of 2 whole numbers"),
        (functools.partial(plain, flag=True), "flag", "no", NO),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(function: Callable[..., Any], name: str, value: Any, message: str) -> None:
    assert message in misfits({name: value}, accepted_types(function))


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (plain, {"flag": True, "count": 2, "rate": 1, "pair": [1, 0.5], "mixed": [False, "b", None]}),
        (plain, {"count": 0.5, "word": "no", "kind": "cat", "block": {"a": 1}, "unknown": [1, {"a": "b"}]}),
        (plain, {"sizes": [1, 2, 3]}),
        (plain, {"sizes": []}),
        (plain, {"kind": "2024-01-01", "unknown": None}),
        (annotated, {"lr": 1, "betas": [0, 1], "eps": [None, 1], "steps": 5}),
        (annotated, {"depths": [1, 2, 3], "dims": [], "loose": [1]}),
        (annotated, {"mode": "b", "may": None, "implicit": None, "layer": "no", "either": "auto", "dtype": "bfloat16"}),
        (annotated, {"either": False, "needed": True}),
        (Child, {"width": 3, "bias": False, "rate": 1}),
        (unresolved, {"other": 3}),
    ],
)  # fmt: skip
def test_what_fits_is_let_through(function: Callable[..., Any], parameters: dict[str, Any]) -> None:
    assert misfits(parameters, accepted_types(function)) == ""


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1_000e-6", "write it without underscores: 1000e-6"),
        ("0,001", "a number has a decimal point, not a comma: 0.001"),
        ("\u22121e-3", "write it without quotes: -1e-3"),
        ("10 %", "write it as a fraction of 1: 0.1"),
        ("-.inf", "a number here must be finite"),
        ("0x1F", ""),
        ("1:30", ""),
        ("relu", ""),
        ("", ""),
    ],
)
def test_a_number_that_yaml_takes_for_text(text: str, hint: str) -> None:
    assert number_hint(text) == hint


def test_each_annotation_is_looked_up_by_itself() -> None:
    assert type_hints(unresolved) == {"flag": bool, "steps": int, "needed": bool}
    assert type_hints(Inherited) == {"steps": int, "flag": bool}
