"""Functions filed under their own names, which are their names in a suite file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def registrar(registry: dict[str, Function], kinds: str) -> Callable[[Function], Function]:
    """A decorator that files a function in `registry`; `kinds` is what such functions are called in a message.

    The decorator raises ValueError where another function already has the name.
    """

    def register(function: Function) -> Function:
        name = function.__name__
        if name in registry:
            other = registry[name].__module__
            raise ValueError(f"two {kinds} are called {name!r}: {other} and {function.__module__}")
        registry[name] = function
        return function

    return register
