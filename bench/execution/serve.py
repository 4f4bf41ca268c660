"""The process that those of user code are forked from: it has imported torch, runs nothing itself, and answers calls.

`bench.execution.forkserver` starts it, and says why. Like the modules that trials import here it is single-threaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.execution.trial_log import printing
from bench.execution.worker import Message, run_trial
from bench.models.user_model import as_written, cannot_unpack, run_only, unpacked, watch_files
from bench.suite.trial import ModelCode

LOOK_SECONDS = 1.0


def serve(line_number: str, ends_number: str) -> None:
    """Answer calls until the process that started this one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ends = int(ends_number)
    with socket.socket(fileno=int(line_number)) as line_socket:
        line = Connection(os.dup(line_socket.fileno()))
        _import_all()
        data = None
        while ends not in wait([line, ends]):
            try:
                kind, *about = line.recv()
            except (EOFError, OSError):
                return
            if kind == "data":
                (data,) = about
                gc.collect()
                gc.freeze()
            elif kind == "call":
                function, arguments, code = about
                (number,) = socket.recv_fds(line_socket, 1, 1)[1]
                with contextlib.ExitStack() as stack:
                    with Connection(number) as answers:
                        try:
                            folder = stack.enter_context(unpacked(code))
                        except OSError as error:
                            answers.send(("error", UserError(f"model {code.name!r}: {cannot_unpack(error)}")))
                            line.send(0)
                            continue
                        run = partial(_answer_call, function, arguments, code, folder, data, answers)
                        pid, over = _fork(run, (line.fileno(), ends))
                    status = _wait_for(pid, over, line, ends)
                if status is None:
                    return
                line.send(status)


def _import_all() -> None:
    """What trials import, once. No operation of torch's runs here: its threads would not live through a fork."""
    import timm.optim  # noqa: F401
    import torch._dynamo  # noqa: F401

    import bench.training.preflight
    import bench.training.train_trial  # noqa: F401
    from bench.training.runtime import versions

    versions()  # read once, not by every process

    gc.collect()
    gc.freeze()


def _fork(run: Callable[[], None], ours: tuple[int, ...]) -> tuple[int, int]:
    """Start a process that only does this, without the descriptors that are `ours`.

    Its id, and a pipe that is closed at its end.
    """
    over, held = os.pipe()
    pid = os.fork()
    if pid:
        os.close(held)
        return pid, over
    code_ = 1
    try:
        for number in ours:
            os.close(number)
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not without the server
        run()
        code_ = 0
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code_)


def _answer_call(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    code: ModelCode,
    folder: Path,
    data: Any,
    answers: Connection,
) -> None:
    global _data, _answers
    _data, _answers = data, answers
    try:
        run_only(code, folder)
        answers.send(("result", function(*arguments)))
    except UserError as error:
        answers.send(("error", UserError(as_written(str(error)))))
    except Exception:
        answers.send(("error", RuntimeError(as_written(traceback.format_exc()))))


def _wait_for(pid: int, over: int, line: Connection, ends: int) -> int | None:
    """Until a process ended, its exit status; None where the one that wants the answer is gone."""
    ready: list[Any] = []
    closed = False
    while True:
        ended, status = os.waitpid(pid, 0 if closed else os.WNOHANG)
        if ended:
            os.close(over)
            return status
        ready = wait([over, line, ends], LOOK_SECONDS)
        if ends in ready or line in ready:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if ends in ready:
                os.waitpid(pid, 0)
                return None
            try:
                line.recv()
            except (EOFError, OSError):
                os.waitpid(pid, 0)
                return None
        closed = over in ready


# --- in the process of one call -----------------------------------------------------------------

_data: Any = None
_answers: Any = None


class _DriverFiles:
    """Checkpoints through the process that started the trial; see `bench.execution.checkpoints.Files`."""

    def read(self, path: Path) -> bytes:
        return bytes(_asked("read", path))

    def write(self, data: bytes, path: Path) -> None:
        _asked("write", data, path)

    def takes(self, path: Path) -> bool:
        return bool(_asked("takes", path))


def _asked(kind: str, *arguments: Any) -> Any:
    _answers.send((kind, arguments))
    kind, value = _answers.recv()
    if kind == "failed":
        raise value
    return value


def run_with_data(
    config: dict[str, Any],
    seed: int,
    device: str,
    threads: int,
    log: Path | None,
    asks_for_files: bool,
    options: dict[str, Any],
) -> Message:
    """`run_trial` with the data that the server has; what it tells goes to the process that called."""

    def run() -> Message:
        return run_trial(
            config,
            seed,
            _data,
            device,
            threads,
            lambda progress: _answers.send(("report", progress)),
            note=lambda text: _answers.send(("note", text)),
            files=_DriverFiles() if asks_for_files else None,
            **options,
        )

    message = printing(log, run)
    if failure := message.get("failure"):
        message["failure"] = {name: as_written(text) for name, text in failure.items()}
    return message


def watched(code: ModelCode, function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Path]:
    """Call a function; the files that the user's code opened to read meanwhile and its key does not hold."""
    opened = watch_files(code)
    function(*arguments)
    return opened()
