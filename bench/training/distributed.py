"""Several processes that train one trial together: who takes which images, and how what they find becomes one.

They are ranks 0, 1, ... of a `torch.distributed` process group, which whoever started them has made. Every method that
says "all ranks" must be called by all of them at the same point, since they wait for one another there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.suite.constraints import LEAST

T = TypeVar("T")


@dataclass(frozen=True)
class BatchSlice:
    """A rank's part of one batch.

    `weight` is what its mean loss counts in the mean over the ranks: the part's size over an even share.
    `counted` tells whether its images count in the epoch's figures; of a part that all ranks have, only rank 0's do.
    """

    part: Tensor
    weight: float
    counted: bool


@dataclass(frozen=True)
class DistributedContext:
    """This process's place among those that train the trial; `SINGLE_PROCESS` where it is the only one."""

    rank: int = 0
    count: int = 1

    @property
    def several(self) -> bool:
        return self.count > 1

    def share(self, batch: Tensor) -> BatchSlice:
        """This rank's part of a batch (B,): slices in order, as even as can be.

        A last batch too small for `LEAST` images each is trained on whole by every rank: the mean of their gradients
        is the batch's own.
        """
        size = len(batch)
        if not self.several:
            return BatchSlice(batch, 1.0, True)
        if size < LEAST * self.count:
            return BatchSlice(batch, 1.0, self.rank == 0)
        part = batch[self.rank * size // self.count : (self.rank + 1) * size // self.count]
        return BatchSlice(part, len(part) * self.count / size, True)

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model as training calls it: after its backward pass every rank has the mean of the ranks' gradients.

        Statistics of batch normalisation are each rank's own in training, and rank 0's are kept.
        """
        if not self.several:
            return model
        # A parameter that the loss does not depend on keeps no gradient, as on one worker.
        return DistributedDataParallel(model, find_unused_parameters=True)

    @torch.no_grad()
    def same_buffers(self, model: nn.Module) -> None:
        """Give all ranks the buffers of rank 0: running statistics are of the images each has seen."""
        if self.several:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def total(self, *sums: Tensor) -> None:
        """Add up each of these over all ranks, in place."""
        if self.several:
            for one in sums:
                dist.all_reduce(one)

    def agreed(self, figures: dict[str, float | None]) -> dict[str, float | None]:
        """Rank 0's figures on all ranks, so that none decides otherwise for a last bit; they have the same names."""
        if not self.several:
            return figures
        values = torch.tensor([math.nan if value is None else value for value in figures.values()], dtype=torch.float64)
        dist.broadcast(values, 0)
        told = zip(figures, values.tolist(), strict=True)
        return {name: None if math.isnan(value) else value for name, value in told}

    def mine(self, parts: Sequence[Tensor]) -> Sequence[Tensor]:
        """This rank's run of the parts; all of them where there are fewer than ranks."""
        if not self._shared(parts):
            return parts
        return parts[self._start(self.rank, parts) : self._start(self.rank + 1, parts)]

    def rows(self, rows: Tensor, parts: Sequence[Tensor]) -> Tensor:
        """The rows that all ranks found for `mine` of these parts, in the parts' order, on all ranks."""
        if not self._shared(parts):
            return rows
        bounds = [self._start(rank, parts) for rank in range(self.count + 1)]
        sizes = [sum(map(len, parts[low:high])) for low, high in itertools.pairwise(bounds)]
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])  # a collective takes equal shapes
        padded[: len(rows)] = rows
        found = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(found, padded)
        return torch.cat([one[:size] for one, size in zip(found, sizes, strict=True)])

    def _shared(self, parts: Sequence[Tensor]) -> bool:
        return self.several and len(parts) >= self.count

    def _start(self, rank: int, parts: Sequence[Tensor]) -> int:
        return rank * len(parts) // self.count

    def gathered(self, value: T) -> list[T]:
        """All ranks' values, on all ranks."""
        if not self.several:
            return [value]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found

    def told(self, value: T) -> T:
        """Rank 0's value, on all ranks."""
        if not self.several:
            return value
        box = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]


SINGLE_PROCESS = DistributedContext()


def is_lost_peer(error: BaseException) -> bool:
    """Whether an exception says that another rank is gone, and nothing of the trial itself.

    PyTorch has classes for NCCL's errors; Gloo's are RuntimeErrors that name its source file.
    """
    return isinstance(error, dist.DistError) or "gloo/transport" in str(error)
