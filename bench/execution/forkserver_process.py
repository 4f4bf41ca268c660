"""The process that those of user code are forked from: it has imported torch, runs nothing itself, and answers calls.

`bench.execution.forkserver` starts it, and says why. It is single-threaded, as are the modules that trials import.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.execution.logs import run_logged
from bench.execution.messages import TrialFailure, TrialResult
from bench.execution.worker import run_trial
from bench.suite.trial import TrialConfig
from bench.user_code.component_code import UserCode
from bench.user_code.run_code import as_written, cannot_unpack, run_only, unpacked, watch_files

WAIT_SECONDS = 1.0
SLOW_MODULES = ("torch._dynamo", "timm", "timm.optim")
"""They take about as long to import as torch itself, and most users' code does without."""


def serve(socket_number: str, lifeline_number: str) -> None:
    """Answer calls until the process that started this one is gone, which closes the lifeline."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lifeline = int(lifeline_number)
    with socket.socket(fileno=int(socket_number)) as parent_socket:
        parent = Connection(os.dup(parent_socket.fileno()))
        _import_all()
        data = None
        needed: list[str] = []
        while lifeline not in wait([parent, lifeline]):
            try:
                kind, *values = parent.recv()
            except (EOFError, OSError):
                return
            if kind == "data":
                (data,) = values
                gc.collect()
                gc.freeze()
            elif kind == "call":
                _import(needed)
                function, arguments, code = values
                (descriptor,) = socket.recv_fds(parent_socket, 1, 1)[1]
                with contextlib.ExitStack() as stack:
                    with Connection(descriptor) as messages:
                        try:
                            folder = stack.enter_context(unpacked(code))
                        except OSError as error:
                            messages.send(("error", UserError(f"{code.title}: {cannot_unpack(error)}")))
                            parent.send(0)
                            continue
                        run = partial(_answer_call, function, arguments, code, folder, data, messages)
                        pid, ended = _fork(run, (parent.fileno(), lifeline))
                    status = _wait_for(pid, ended, parent, lifeline)
                if status is None:
                    return
                parent.send(status)
                needed = _slow_modules_of(ended)


def _import_all() -> None:
    """Import what trials do. No operation of torch's runs in this process: its threads would not survive a fork."""
    import bench.training.preflight
    import bench.training.train_trial  # noqa: F401
    from bench.system import versions

    versions()  # read once, not by every process

    gc.collect()
    gc.freeze()


def _slow_modules_of(ended: int) -> list[str]:
    """The slow modules that an ended process had; closes its pipe."""
    os.set_blocking(ended, False)  # what it has started may hold the other end
    try:
        return [SLOW_MODULES[index] for index in os.read(ended, len(SLOW_MODULES))]
    except BlockingIOError:
        return []
    finally:
        os.close(ended)


def _import(names: list[str]) -> None:
    """Import for the calls to come what one before had to import itself."""
    for name in (name for name in names if name not in sys.modules):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
            gc.collect()
            gc.freeze()


def _fork(run: Callable[[], None], descriptors: tuple[int, ...]) -> tuple[int, int]:
    """Start a process that only calls `run`, without the server's `descriptors`.

    Its id, and a pipe that is closed when it ends: in it the indices of the `SLOW_MODULES` that it had.
    """
    ended, held = os.pipe()
    pid = os.fork()
    if pid:
        os.close(held)
        return pid, ended
    exit_code, process = 1, os.getpid()
    try:
        for number in descriptors:
            os.close(number)
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not without the server
        run()
        exit_code = 0
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
            if os.getpid() == process:  # the user's code may fork as well
                os.write(held, bytes(index for index, name in enumerate(SLOW_MODULES) if name in sys.modules))
        os._exit(exit_code)


def _answer_call(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    code: UserCode,
    folder: Path,
    data: Any,
    messages: Connection,
) -> None:
    global _data, _messages
    _data, _messages = data, messages
    try:
        run_only(code, folder)
        messages.send(("result", function(*arguments)))
    except UserError as error:
        messages.send(("error", UserError(as_written(str(error)))))
    except Exception:
        messages.send(("error", RuntimeError(as_written(traceback.format_exc()))))


def _wait_for(pid: int, ended: int, parent: Connection, lifeline: int) -> int | None:
    """Wait until a process ends, or is to be killed; its exit status. None if the parent is gone."""
    ready: list[Any] = []
    closed = False
    while True:
        waited, status = os.waitpid(pid, 0 if closed else os.WNOHANG)
        if waited:
            return status
        ready = wait([ended, parent, lifeline], WAIT_SECONDS)
        if lifeline in ready or parent in ready:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if lifeline in ready:
                os.waitpid(pid, 0)
                return None
            try:
                parent.recv()
            except (EOFError, OSError):
                os.waitpid(pid, 0)
                return None
        closed = ended in ready


# --- in the process of one call -----------------------------------------------------------------

_data: Any = None
_messages: Any = None


class _DriverFiles:
    """Checkpoints through the process that started the trial; see `bench.execution.checkpoints.CheckpointFiles`."""

    def read(self, path: Path) -> bytes:
        return bytes(_ask("read", path))

    def write(self, data: bytes, path: Path) -> None:
        _ask("write", data, path)

    def has_folder(self, path: Path) -> bool:
        return bool(_ask("has_folder", path))


def _ask(kind: str, *arguments: Any) -> Any:
    _messages.send((kind, arguments))
    kind, value = _messages.recv()
    if kind == "failed":
        raise value
    return value


def run_with_data(
    config: TrialConfig,
    seed: int,
    device: str,
    threads: int,
    log: Path | None,
    remote_files: bool,
    sent_options: dict[str, Any],
) -> TrialResult | TrialFailure:
    """`run_trial` with the data that the server has; reports and notes go to the process that called."""
    end = run_logged(
        log,
        lambda: run_trial(
            config,
            seed,
            _data,
            device,
            threads,
            lambda progress: _ask("report", progress),
            note=lambda text: _messages.send(("note", text)),
            files=_DriverFiles() if remote_files else None,
            **sent_options,
        ),
    )
    if isinstance(end, TrialFailure):
        return TrialFailure(**{name: as_written(text) for name, text in asdict(end).items()})
    return end


def watched(code: UserCode, function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Path]:
    """Call a function; the files that the user's code opens meanwhile and its key does not cover."""
    opened = watch_files(code)
    function(*arguments)
    return opened()
