"""timm's Muon, with the type in which its Newton-Schulz iteration multiplies as a parameter."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal

import torch
from timm.optim import muon as timm_muon


class Muon(timm_muon.Muon):
    """Muon (Jordan et al. 2024, github.com/KellerJordan/Muon), as timm has it, plus `ns_dtype`.

    timm multiplies in bfloat16, whatever the training's precision. A processor without units for it emulates each
    product: a step for the 680,000 parameters of `suites/frontier.yaml` then takes nearly 20 times as long as in
    float32 (`benchmarks/muon_step.py`, on an AMD EPYC with AVX2), which is the default here.
    """

    def __init__(self, params: Any, *args: Any, ns_dtype: Literal["float32", "bfloat16"] = "float32", **settings: Any):
        super().__init__(params, *args, **settings)
        self.defaults["ns_dtype"] = ns_dtype

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step. timm passes no type to its iteration, so its function is replaced meanwhile."""
        iteration = timm_muon.zeropower_via_newtonschulz
        dtype = getattr(torch, self.defaults["ns_dtype"])
        timm_muon.zeropower_via_newtonschulz = functools.partial(iteration, dtype=dtype)
        try:
            return super().step(closure)  # type: ignore[no-untyped-call]
        finally:
            timm_muon.zeropower_via_newtonschulz = iteration


def _signature() -> inspect.Signature:
    """timm's parameters, and `ns_dtype` behind them."""
    ns_dtype = inspect.signature(Muon.__init__).parameters["ns_dtype"]
    signature = inspect.signature(timm_muon.Muon)
    return signature.replace(parameters=[*signature.parameters.values(), ns_dtype])


Muon.__signature__ = _signature()  # type: ignore[attr-defined]
