"""Classes whose methods would import torch's compiler do as before without it."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch.optim import optimizer as torch_optimizer

from bench import torch_compiler


def made() -> type:
    """A class as torch's optimizers are: a step with its graph break, and a method left out of compilation."""

    class Made:
        @torch_optimizer._use_grad_for_differentiable
        def step(self, number: int) -> tuple[int, bool]:
            """A step."""
            return number, torch.is_grad_enabled()

        @torch._disable_dynamo
        def other(self, number: int) -> int:
            return number

    return Made


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported it, and cannot."""
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    monkeypatch.delitem(vars(torch), "_dynamo", raising=False)

    class Refusing:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "torch._dynamo":
                raise ImportError(name)

    monkeypatch.setattr(sys, "meta_path", [Refusing(), *sys.meta_path])


@pytest.mark.usefixtures("without_compiler")
@pytest.mark.parametrize("differentiable", [True, False])
def test_methods_do_as_before_also_those_inherited(differentiable: bool) -> None:
    class Heir(made()):  # type: ignore[misc]
        def __init__(self) -> None:
            self.defaults = {"differentiable": differentiable}

    with pytest.raises(ImportError, match=r"torch\._dynamo"):
        Heir().step(3)
    torch_compiler.avoid_dynamo_import(Heir)
    assert (Heir().step(3), Heir().other(4)) == ((3, differentiable), 4)
    assert Heir.step.__doc__ == "A step." and torch.is_grad_enabled()


@pytest.mark.usefixtures("without_compiler")
def test_nothing_is_changed_where_torch_has_other_decorators(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch_compiler._code_made_by(torch_optimizer, "no_such_decorator") is None
    for name in ("_DISABLED", "_GRAPH_BREAKING"):
        monkeypatch.setattr(torch_compiler, name, None)
    class_ = made()
    before = dict(vars(class_))
    torch_compiler.avoid_dynamo_import(class_)
    assert dict(vars(class_)) == before
    with pytest.raises(ImportError, match=r"torch\._dynamo"):
        class_().other(4)
