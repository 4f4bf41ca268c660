"""Several processes that train one trial together: which images each takes, and how their results are combined.

They are ranks 0, 1, ... of a `torch.distributed` process group, initialised before. Every method that
says "all ranks" must be called by all of them at the same point, since they wait for one another there.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.suite.validation import MIN_IMAGES_PER_WORKER

T = TypeVar("T")


@dataclass(frozen=True)
class BatchSlice:
    """A rank's part of one batch.

    `indices` names its images. `weight` is the factor on its mean loss in the mean over the ranks: its size over that
    of an even slice. `counted` is whether its images count in the epoch's metrics; of a batch that all ranks train on
    whole, only rank 0's do.
    """

    indices: Tensor
    weight: float
    counted: bool


@dataclass(frozen=True)
class DistributedContext:
    """This process's rank among those that train the trial; `SINGLE_PROCESS` where it is the only one."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_distributed(self) -> bool:
        return self.world_size > 1

    def batch_slice(self, batch: Tensor) -> BatchSlice:
        """This rank's part of a batch of indices (B,): consecutive slices, as even as can be.

        Every rank trains on the whole of a last batch that is too small for `MIN_IMAGES_PER_WORKER` images each: the
        mean of equal gradients is the batch's gradient.
        """
        size = len(batch)
        if not self.is_distributed:
            return BatchSlice(batch, 1.0, True)
        if size < MIN_IMAGES_PER_WORKER * self.world_size:
            return BatchSlice(batch, 1.0, self.rank == 0)
        indices = batch[self.rank * size // self.world_size : (self.rank + 1) * size // self.world_size]
        return BatchSlice(indices, len(indices) * self.world_size / size, True)

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model as training calls it: after its backward pass every rank has the mean of the ranks' gradients.

        Batch normalisation computes its statistics on each rank's own images in training; rank 0's are kept.
        """
        if not self.is_distributed:
            return model
        # A parameter that the loss does not depend on keeps no gradient, as on one worker.
        return DistributedDataParallel(model, find_unused_parameters=True)

    @torch.no_grad()
    def broadcast_buffers(self, model: nn.Module) -> None:
        """Give all ranks the buffers of rank 0: running statistics depend on the images of a rank."""
        if self.is_distributed:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def all_reduce(self, *sums: Tensor) -> None:
        """Add up each of these over all ranks, in place."""
        if self.is_distributed:
            for tensor in sums:
                dist.all_reduce(tensor)

    def all_gather(self, value: T) -> list[T]:
        """All ranks' values, on all ranks."""
        if not self.is_distributed:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, value: T) -> T:
        """Rank 0's value, on all ranks."""
        if not self.is_distributed:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0)
        return values[0]

    def local_batches(self, batches: Sequence[Tensor]) -> Sequence[Tensor]:
        """This rank's consecutive share of the batches; all of them where there are fewer batches than ranks."""
        if not self._are_shared(batches):
            return batches
        return batches[self._start(self.rank, batches) : self._start(self.rank + 1, batches)]

    def all_gather_rows(self, rows: Tensor, batches: Sequence[Tensor]) -> Tensor:
        """The rows that all ranks computed for their `local_batches`, in the batches' order, on all ranks."""
        if not self._are_shared(batches):
            return rows
        bounds = [self._start(rank, batches) for rank in range(self.world_size + 1)]
        sizes = [sum(map(len, batches[low:high])) for low, high in itertools.pairwise(bounds)]
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])  # a collective takes equal shapes
        padded[: len(rows)] = rows
        all_rows = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(all_rows, padded)
        return torch.cat([part[:size] for part, size in zip(all_rows, sizes, strict=True)])

    def _are_shared(self, batches: Sequence[Tensor]) -> bool:
        return self.is_distributed and len(batches) >= self.world_size

    def _start(self, rank: int, batches: Sequence[Tensor]) -> int:
        return rank * len(batches) // self.world_size


SINGLE_PROCESS = DistributedContext()


def is_lost_peer(error: BaseException) -> bool:
    """Whether an exception says that another rank is gone, and nothing of the trial itself.

    PyTorch has classes for NCCL's errors; Gloo's are RuntimeErrors that name its source file.
    """
    return isinstance(error, dist.DistError) or "gloo/transport" in str(error)
