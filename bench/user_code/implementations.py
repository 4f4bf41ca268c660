"""A component's implementation, called with its parameters; what the user's own code does wrong becomes one message."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from bench.components.arguments import accepted_types, misfits
from bench.components.base import Component
from bench.errors import UserError, nearest
from bench.user_code import run_code


def implementation(component: Component) -> Callable[..., Any]:
    """The function or class that carries a component out; UserError where the user's own cannot be imported."""
    if component.user_code is None:
        return component.load()  # type: ignore[no-any-return]
    return run_code.load(component.user_code, component.axis)


def call_component(component: Component, *arguments: Any, **parameters: Any) -> Any:
    """What the implementation returns for these positional arguments and keyword parameters.

    Raises
    ------
    UserError
        It does not take these parameters, their types do not fit, or it raises an exception; with the line of the
        user's own code.
    """
    title = f"{component.axis} {component.name!r}"
    function = implementation(component)
    check_parameters(component, function, arguments, parameters)
    try:
        return function(*arguments, **parameters)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        called = ""
        if isinstance(error, TypeError) and component.user_code and component.axis == "model":
            called = f"\n  it was called with ({', '.join(map(str, arguments))}, ...)"
        raise UserError(
            f"{title} cannot be built: {run_code.describe(error)}{code_location(component, error)}{called}"
        ) from error


def check_parameters(
    component: Component, function: Callable[..., Any], arguments: tuple[Any, ...], parameters: dict[str, Any]
) -> None:
    """UserError where a function does not take these parameters, or where their types do not fit."""
    title = f"{component.axis} {component.name!r}"
    try:
        signature = inspect.signature(function)
    except ValueError:  # of some classes that are written in C
        return
    try:
        signature.bind(*arguments, **parameters)
    except TypeError as error:
        kinds = inspect.Parameter
        named = [
            p for p in signature.parameters.values() if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
        ]
        positional = [p for p in named if p.kind is kinds.POSITIONAL_OR_KEYWORD][: len(arguments)]
        allowed = [p.name for p in named if p not in positional]
        message = f"{title}: {error}; its parameters are {', '.join(allowed) or 'none'}"
        hints = [nearest(key, allowed) for key in parameters if key not in allowed]
        raise UserError("\n  ".join([message, *(hint for hint in hints if hint)])) from error
    if component.user_code and (wrong := misfits(parameters, accepted_types(function))):
        more = "\n  the parameter's annotation in the factory, else its default, says what it takes"
        raise UserError(f"{title}: {wrong}{more}")


def code_location(component: Component, error: BaseException) -> str:
    """`` (FILE, line N)`` of the user's own code that an error went through; '' for any other component."""
    return run_code.code_location(error, component.user_code) if component.user_code else ""
