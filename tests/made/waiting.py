"""Where would training wait for a GPU? Counted on a CPU, where PyTorch's own sync debug mode does not run.

`torch.cuda.set_sync_debug_mode` warns of a call that stops the program until the GPU has caught up. Such calls are of
three kinds, and each can be seen without a GPU: a value is read back, a result's shape depends on values, or what lies
in the machine's memory goes to the device from ordinary (pageable) memory.
"""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

READ_BACK = {
    "_local_scalar_dense",
    "is_nonzero",
    "equal",
    "allclose",
    "_linalg_check_errors",
    "_linalg_eigh",
    "_linalg_svd",
}
"""Of an operation's value: what item(), float(), bool(), int() and a comparison end in, and LAPACK's error codes."""

SHAPED_BY_VALUES = {
    *("nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount"),
    *("repeat_interleave", "histc"),
}
BY_INDEX = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
"""These look for the places where a mask holds."""

FROM_PYTHON = "lift_fresh"
"""What torch.tensor and its like end in: numbers of Python's, which lie in the machine's memory."""

TO_ANOTHER_PLACE = {Tensor.cpu, Tensor.cuda, Tensor.numpy, Tensor.tolist, torch.from_numpy, torch.as_tensor}


class Waits:
    """``with Waits() as waits: ...``: how often, by kind of call (`counts`), among how many `operations`.

    A number read from a tensor that was made without a device, or on "cpu" by that name, is not counted: it lies in the
    machine's memory and stays there, like the count of steps that some optimizers keep.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.operations = 0
        self._on_host: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._modes = (_Calls(self), _Operations(self))

    def __enter__(self) -> Self:
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(kind, error, trace)

    def made_on_host(self, tensor: Any) -> None:
        if isinstance(tensor, Tensor):
            self._on_host[tensor] = True

    def lies_on_host(self, tensor: Any) -> bool:
        return tensor in self._on_host


class _Calls(TorchFunctionMode):
    """What is called from Python: tensors made without a device, and moved."""

    def __init__(self, waits: Waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        moved = func is Tensor.to and any(isinstance(one, str | torch.device) for one in [*args[1:], *kwargs.values()])
        if moved or func in TO_ANOTHER_PLACE:
            self.waits.counts[f"moved: {resolve_name(func)}"] += 1
        out = func(*args, **kwargs)
        # A name says that it is meant for the machine's memory: the trial's own device is always an object.
        if func in _device_constructors() and kwargs.get("device") in (None, "cpu"):
            self.waits.counts[f"made without a device: {resolve_name(func)}"] += 1
            self.waits.made_on_host(out)
        return out


class _Operations(TorchDispatchMode):
    """What PyTorch does below that, gradients included."""

    def __init__(self, waits: Waits):
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.waits.operations += 1
        name = func.name().removeprefix("aten::").split(".")[0]
        if name in READ_BACK and not self.waits.lies_on_host(args[0]):
            self.waits.counts[f"read back: {name}"] += 1
        if name in SHAPED_BY_VALUES or (name in BY_INDEX and any(map(_is_mask, args[1]))):
            self.waits.counts[f"shape depends on values: {name}"] += 1
        if name == FROM_PYTHON:
            self.waits.counts["copied from Python"] += 1
        return func(*args, **(kwargs or {}))


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)
