"""Keeps torch's compiler, which takes over two seconds to import, out of processes that compile nothing.

For torch 2.14. Where a version has not the private functions that are looked for here, it imports the compiler as ever.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

import torch
from torch.optim import optimizer as torch_optimizer


def avoid_dynamo_import(class_: type) -> None:
    """Change those methods of a class, and of the classes it extends, that would import `torch._dynamo` when called.

    - Functions decorated with `torch._disable_dynamo` import it to exclude themselves from compilation, and keep the
      excluded function as an attribute: set here to the plain function.
    - The step of torch's own optimizers imports it for a graph break: replaced by the same without the break.

    bench compiles networks alone. A user's code that compiles one of these methods has them compiled whole.
    """
    if "torch._dynamo" in sys.modules:
        return
    for owner in class_.__mro__:
        for name, method in list(vars(owner).items()):
            code = getattr(method, "__code__", None)
            if code is not None and code is _DISABLED:
                vars(method.__wrapped__).setdefault("__dynamo_disable", method.__wrapped__)
            elif code is not None and code is _GRAPH_BREAKING:
                setattr(owner, name, _without_graph_break(method.__wrapped__))


def _without_graph_break(step: Callable[..., Any]) -> Callable[..., Any]:
    """As torch's `_use_grad_for_differentiable`, but for the graph break."""

    @functools.wraps(step)
    def with_gradients_as_set(self: Any, *args: Any, **kwargs: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **kwargs)

    return with_gradients_as_set


def _code_made_by(module: Any, decorator: str) -> CodeType | None:
    """The code of the functions that a private decorator of torch's returns; None where there is no such decorator."""
    decorate = getattr(module, decorator, None)
    return getattr(decorate(lambda: None), "__code__", None) if decorate else None


_DISABLED = _code_made_by(torch, "_disable_dynamo")
_GRAPH_BREAKING = _code_made_by(torch_optimizer, "_use_grad_for_differentiable")
