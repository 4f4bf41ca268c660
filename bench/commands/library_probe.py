"""Probes of torch, timm and Ray: each library is imported and used in a process of its own.

A broken installation may end the process that imports it, or hang; `probe` reports that too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from bench.jsonutil import JsonObject

SECONDS = 180.0
"""Longer than the slowest import from a cold network disk, shorter than a user's patience."""


Facts = JsonObject
"""What a probe reports: versions, devices, counts."""


class ProbeError(Exception):
    """A library does not work; the reason in a line or two."""


def probe(library: str) -> Facts:
    """The facts about one of `PROBES`, found in a fresh process with this one's paths and environment.

    Raises
    ------
    ProbeError
        The library cannot be imported or used.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", "bench.commands.library_probe", library]
    try:
        process = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"no answer within {SECONDS:.0f} s") from error
    if process.returncode < 0:
        raise ProbeError(f"ended its process by {signal.Signals(-process.returncode).name}")
    last_line = (process.stdout.splitlines() or [""])[-1]
    try:
        facts: Facts = json.loads(last_line)
    except ValueError as error:
        message = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProbeError(f"ended its process with code {process.returncode}: {message}") from error
    if "error" in facts:
        raise ProbeError(facts["error"])
    return facts


def _torch() -> Facts:
    import torch

    from bench.execution.precision_cost import precision_cost

    devices = []
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        _multiply(f"cuda:{number}")
        devices.append({"name": properties.name, "memory": properties.total_memory})
    _multiply("cpu")
    bfloat16 = precision_cost()
    return {
        "version": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda or torch.version.hip,
        "devices": devices,
        "mps": torch.backends.mps.is_available(),
        "bfloat16": str(bfloat16),
        "bfloat16_is_slower": bfloat16.is_slower,
    }


def _multiply(device: str) -> None:
    """Compute something: torch may list a device that this build has no kernels for."""
    import torch

    ones = torch.ones(8, 8, device=device)
    if float((ones @ ones).sum()) != 512.0:
        raise ArithmeticError(f"{device} multiplies wrongly")


def _timm() -> Facts:
    import timm
    import torchvision

    return {"version": timm.__version__, "torchvision": torchvision.__version__, "models": len(timm.list_models())}


def _ray() -> Facts:
    from bench.execution.messages import RunOptions
    from bench.execution.ray_cluster import local_ray

    with local_ray(RunOptions(), 0) as limits:
        import ray

        ray.get(ray.remote(lambda: 0).remote(), timeout=SECONDS)  # in a worker process of its own
        return {"version": ray.__version__, "slots": limits.slots(1)}


PROBES = {"torch": _torch, "timm": _timm, "ray": _ray}


def _facts(library: str) -> Facts:
    try:
        return PROBES[library]()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    print(json.dumps(_facts(sys.argv[1])))
