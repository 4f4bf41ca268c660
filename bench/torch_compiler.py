"""torch's compiler, which takes over two seconds to import: kept out of processes that compile nothing.

Of torch 2.14. Where torch no longer has what is looked for here, nothing is changed, and the compiler is imported.
"""

from __future__ import annotations

import sys

import torch
from torch._compile import _disable_dynamo
from torch.optim.optimizer import _use_grad_for_differentiable


def spare_import(class_: type) -> None:
    """Keep a class's methods from importing the compiler when they are first called.

    - What torch leaves alone in compiled code imports it to say so (`torch._compile._disable_dynamo`), and keeps the
      function so marked as an attribute: here that is the plain function.
    - The step of torch's own optimizers imports it to break compiled code in two: here it is the step within, without
      gradients as before.

    bench compiles networks alone, and calls none of these methods within one.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name, method in list(vars(class_).items()):
        code = getattr(method, "__code__", None)
        if code is _LEFT_ALONE:
            vars(method.__wrapped__).setdefault("__dynamo_disable", method.__wrapped__)
        elif code is _GRAPH_BROKEN:
            setattr(class_, name, torch.no_grad()(method.__wrapped__))


_LEFT_ALONE = _disable_dynamo(lambda: None).__code__
_GRAPH_BROKEN = _use_grad_for_differentiable(lambda: None).__code__
"""What the functions that each of the two makes have in common."""
