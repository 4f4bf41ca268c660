"""Is one batched model of all seeds faster than the seeds one by one? ``python benchmarks/batched_seeds.py``.

Asked: training the seeds of one configuration together, as one model with a leading dimension (torch.func:
`stack_module_state`, `vmap`, `functional_call`, `grad`), against training them one after the other in the same number
of threads, and against two processes of one thread each. It would be worth having in the product above 1.3 times, for
the 784-128-64-10 network and for a small convolution block alike.

Both ways are bare loops on the same float images, gathered for each seed in an order of its own, with Adam in fused
kernels; five steps of both must lead to the same weights within rounding. A turn times every way once; the ratio is the
median of the ratios within a turn. In one thread the processor's time counts, which other work on the machine hardly
touches; two threads and two processes go by the clock and want two cores to themselves (--threads 1 leaves both out).
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing as mp
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from figures import load_now, median_and_spread, show, verdict
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from bench.data import load

BOUND = 1.3


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 12 * 12, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


CASES: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "784-128-64-10, batch 64": (mlp, 64, 20),
    "784-128-64-10, batch 256": (mlp, 256, 8),
    "convolution 16 x 5 x 5, batch 64": (conv, 64, 5),
}
"""Network, batch size and steps per measurement and seed."""


def models(build: Callable[[], nn.Module], seeds: int) -> list[nn.Module]:
    out = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        out.append(build())
    return out


def orders(count: int, seeds: int, batch: int, steps: int) -> Tensor:
    """Which images each seed's batches hold, (seeds, steps, batch)."""
    draws = torch.Generator().manual_seed(0)
    return torch.stack(
        [torch.randperm(count, generator=draws)[: batch * steps].view(steps, batch) for _ in range(seeds)]
    )


def in_turn(nets: list[nn.Module], images: Tensor, labels: Tensor, order: Tensor) -> list[nn.Module]:
    """The seeds one after the other."""
    for net, mine in zip(nets, order, strict=True):
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
        for batch in mine:
            loss = F.cross_entropy(net(images.index_select(0, batch)), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return nets


def together(nets: list[nn.Module], images: Tensor, labels: Tensor, order: Tensor) -> dict[str, Tensor]:
    """All seeds as one model; its weights, with a leading dimension of the seeds."""
    bare = copy.deepcopy(nets[0]).to("meta")
    weights, _ = stack_module_state(nets)
    optimizer = torch.optim.Adam(weights.values(), lr=1e-3, fused=True)

    def loss(mine: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(bare, mine, (x,)), y)

    gradients = vmap(grad(loss))
    for batches in order.unbind(1):
        x = images.index_select(0, batches.flatten()).view(*batches.shape, *images.shape[1:])
        found = gradients({name: value.detach() for name, value in weights.items()}, x, labels[batches])
        for name, value in weights.items():
            value.grad = found[name]
        optimizer.step()
    return weights


def differ(build: Callable[[], nn.Module], images: Tensor, labels: Tensor, batch: int) -> float:
    """The largest difference of a weight after five steps of three seeds, both ways."""
    order = orders(len(images), 3, batch, 5)
    apart, stacked = in_turn(models(build, 3), images, labels, order), together(models(build, 3), images, labels, order)
    return max(
        float((stacked[name][seed] - value).detach().abs().max())
        for seed, net in enumerate(apart)
        for name, value in net.named_parameters()
    )


def seconds(way: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    """By the clock, and of the processor."""
    start, used = time.perf_counter(), time.process_time()
    way(*arguments)
    return time.perf_counter() - start, time.process_time() - used


def pictures() -> tuple[Tensor, Tensor]:
    data = load("fashion_mnist")
    return torch.from_numpy(data.train_images[:20_000]).float() / 255, torch.from_numpy(
        data.train_labels[:20_000]
    ).long()


def work(tasks: Any, answers: Any, both: Any) -> None:
    """A process of one thread that trains its seeds in turn when it is told to: (case, seeds)."""
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    images, labels = pictures()
    for case, seeds in iter(tasks.get, None):
        build, batch, steps = CASES[case]
        nets, order = models(build, seeds), orders(len(images), seeds, batch, steps)
        both.wait()
        answers.put(seconds(in_turn, nets, images, labels, order)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=2, help="the most threads to try")
    options = parser.parse_args()
    repeats, threads_tried = options.repeats, range(1, options.threads + 1)
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    load_before, rows = load_now(), []
    context = mp.get_context("spawn")
    tasks, answers, both = [context.Queue(), context.Queue()], context.Queue(), context.Barrier(2)
    workers = [context.Process(target=work, args=(queue, answers, both), daemon=True) for queue in tasks]
    workers = workers if options.threads > 1 else []
    for worker in workers:
        worker.start()
    images, labels = pictures()
    differences = []
    for case, (build, batch, steps) in CASES.items():
        torch.set_num_threads(1)
        differences.append(f"{case}: {differ(build, images, labels, batch):.0e}")
        for seeds in (3, 10):
            order = orders(len(images), seeds, batch, steps)
            total = seeds * steps * batch
            speeds: dict[str, list[float]] = {}
            for turn in range(repeats + 1):
                for threads in threads_tried:
                    torch.set_num_threads(threads)
                    for name, way in (("in turn", in_turn), ("batched", together)):
                        found = seconds(way, models(build, seeds), images, labels, order)
                        speed = total / found[1 if threads == 1 else 0]
                        speeds.setdefault(f"{name}, {threads}", []).append(speed)
                if workers:
                    for queue, share in zip(tasks, (seeds - seeds // 2, seeds // 2), strict=True):
                        queue.put((case, share))
                    slower = max(answers.get(timeout=600) for _ in workers)
                    speeds.setdefault("processes", []).append(total / slower)
                if turn == 0:
                    speeds.clear()
            for threads in threads_tried:
                ones, batched = speeds[f"in turn, {threads}"], speeds[f"batched, {threads}"]
                ratios = [new / old for old, new in zip(ones, batched, strict=True)]
                rows.append((
                    case, str(seeds), str(threads), median_and_spread(ones, ",.0f"), median_and_spread(batched, ",.0f"),
                    median_and_spread(ratios), median_and_spread(speeds["processes"], ",.0f") if threads == 2 else "",
                    verdict(statistics.median(ratios), BOUND, at_least=True),
                ))  # fmt: skip
    for queue, worker in zip(tasks, workers, strict=False):
        queue.put(None)
        worker.join()
    header = (
        "network", "seeds", "threads", "in turn, images/s", "batched, images/s", "batched / in turn",
        "2 processes, images/s", f">= {BOUND}",
    )  # fmt: skip
    show(f"Seeds together, median of {repeats} turns (smallest to largest)", header, rows, load_before)
    print(f"\nLargest difference of a weight after five steps, both ways: {'; '.join(differences)}.")


if __name__ == "__main__":
    main()
