"""User code runs in processes of its own, forked from one that has imported torch and has run nothing.

Importing torch takes seconds and a fork some milliseconds, so each trial of a model of the user's own has a fresh
process: what its code leaves behind (patched classes, random generators, caches, settings of torch, environment
variables, a changed folder) ends with it, and reaches neither the driver nor another trial. The server is started once
in each process that needs it, the first time it does; like the modules that trials import there it is single-threaded.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from bench.execution.checkpoints import AFTER_SECONDS, Disk, Files
from bench.execution.printed import printed_to
from bench.execution.worker import Message, run_trial
from bench.models.user import as_written, cannot_unpack, run_only, unpacked, watch_files
from bench.suite.errors import UserError
from bench.suite.model_code import ModelCode

START = "import sys; sys.path[:] = sys.argv[3:]; from bench.execution.forkserver import serve; serve(*sys.argv[1:3])"
LOOK_SECONDS = 1.0


class ProcessDiedError(Exception):
    """The process that ran the user's code ended before it had an answer."""


class _Server:
    """A server's process and the line to it; it runs one call at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ends, alive = os.pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, str(theirs.fileno()), str(ends), *sys.path],
                pass_fds=(theirs.fileno(), ends),
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,  # what user code prints is no output of a command
                process_group=0,  # Ctrl-C is this process's to answer
            )
        os.close(ends)
        self.alive = alive
        self.socket = ours
        self.line = Connection(os.dup(ours.fileno()))
        self.data: Any = None
        self.data_id: str | None = None

    def call(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        code: ModelCode,
        answer: Callable[[str, Any], Any],
    ) -> Any:
        """Run a function in a new process that has a model's code; `answer` is given what it sends meanwhile.

        Raises
        ------
        UserError
            As the function does.
        ProcessDiedError
            The process came to its end otherwise.
        """
        ours, theirs = Pipe()
        with ours:
            with theirs:
                self.line.send(("call", function, arguments, code))
                socket.send_fds(self.socket, [b"."], [theirs.fileno()])
            try:
                while True:
                    kind, value = self._answer(ours)
                    if kind == "ended":
                        raise ProcessDiedError(_death(value))
                    if kind in ("result", "error"):
                        break
                    if (reply := answer(kind, value)) is not None:
                        ours.send(reply)
            except ProcessDiedError:
                raise
            except Exception:
                self.line.send(("kill",))
                self._ended()
                raise
            except BaseException:  # at any moment, so nobody knows what stands half said on the line
                self.close()
                raise
            self._ended()
            if kind == "error":
                raise value
            return value

    def _answer(self, answers: Connection) -> tuple[str, Any]:
        """The next that a call's process sends; ``("ended", status)`` if it has ended."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            if answers in wait([answers, self.line]) or answers.poll():
                found: tuple[str, Any] = answers.recv()
                return found
        return "ended", self._ended()

    def _ended(self) -> int:
        """Wait until the server has seen its process end; the exit status as `os.waitpid` gives it."""
        try:
            return int(self.line.recv())
        except (EOFError, OSError):
            self.close()
            return signal.SIGKILL

    def give_data(self, data: Any, data_id: str | None) -> None:
        """Let calls have data; those it has already are told by their `data_id`, or by being the same object."""
        if self.data is None or (data is not self.data if data_id is None else data_id != self.data_id):
            self.line.send(("data", data))
            self.data, self.data_id = data, data_id

    def close(self) -> None:
        """End the server, and what it runs."""
        global _server
        if _server is self:
            _server = None
        self.line.close()
        self.socket.close()
        with contextlib.suppress(OSError):
            os.close(self.alive)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_server: _Server | None = None


def start() -> _Server:
    """This process's server, started if there is none."""
    global _server
    if _server is None or _server.process.poll() is not None:
        _server = _Server()
        atexit.register(_server.close)
    return _server


def call(code: ModelCode | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of bench's returns, run where a model's `code` may run: here where there is none of the user's.

    Raises
    ------
    UserError
        As the function does; or the user's code ended its process.
    """
    if code is None:
        return function(*arguments)
    try:
        return start().call(function, arguments, code, lambda *_: None)
    except ProcessDiedError as error:
        raise UserError(f"model {code.name!r}: {error}") from error


def files_opened(code: ModelCode, function: Callable[..., Any], *arguments: Any) -> list[Path]:
    """Call a function as `call` does; the files that the user's code reads meanwhile and its key does not hold."""
    found: list[Path] = call(code, _watched, code, function, arguments)
    return found


def train(
    code: ModelCode | None,
    config: dict[str, Any],
    seed: int,
    data: Any,
    device: str,
    threads: int,
    report: Callable[[Any], None],
    passed_on: tuple[type[BaseException], ...] = (),
    checkpoint: Path | None = None,
    checkpoint_after: float = AFTER_SECONDS,
    note: Callable[[str], None] = lambda _: None,
    files: Files | None = None,
    data_id: str | None = None,
    log: Path | None = None,
) -> Message:
    """`bench.execution.worker.run_trial` for a trial of one worker; one that runs the user's `code` in a new process.

    `data_id` tells one `data` from another where the same data come as ever new objects. What `report` raises ends
    that process and is passed on, whatever its type. What the trial prints goes into the file `log`, if one is given.

    Raises
    ------
    ProcessDiedError
        The process ended before the trial did.
    """
    if code is None:
        return _printing(
            log,
            lambda: run_trial(
                config,
                seed,
                data,
                device,
                threads,
                report,
                passed_on=passed_on,
                checkpoint=checkpoint,
                checkpoint_after=checkpoint_after,
                note=note,
                files=files,
            ),
        )
    server = start()
    server.give_data(data, data_id)
    disk = files or Disk()

    def answer(kind: str, value: Any) -> Any:
        if kind == "report":
            report(value)
        elif kind == "note":
            note(value)
        else:
            try:
                return "done", getattr(disk, kind)(*value)
            except (OSError, UserError) as error:
                return "failed", error
        return None

    arguments = (config, seed, device, threads, checkpoint, checkpoint_after, files is not None, log)
    message: Message = server.call(_run_trial, arguments, code, answer)
    return message


def _printing(log: Path | None, run: Callable[[], Message]) -> Message:
    """The trial's message with the end of what it `printed`, which the file has; as it is without one."""
    if log is None:
        return run()
    with printed_to(log) as printed:
        message = run()
        message["printed"] = printed()
    return message


def _death(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name
        why = ", perhaps for want of memory" if number == signal.SIGKILL else ""
        return f"the process that ran its code was ended by {name}{why}"
    return f"its code ended the process that ran it (exit code {os.waitstatus_to_exitcode(status)})"


# --- in the server ------------------------------------------------------------------------------


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
                        pid, over = _fork(function, arguments, code, folder, data, answers, (line.fileno(), ends))
                    status = _wait_for(pid, over, line, ends)
                if status is None:
                    return
                line.send(status)


def _import_all() -> None:
    """What trials import, once. No operation of torch's runs here: its threads would not live through a fork."""
    import timm.optim  # noqa: F401
    import torch._dynamo  # noqa: F401

    import bench.training.check
    import bench.training.trial  # noqa: F401
    from bench.training.machine import versions

    versions()  # read once, not by every process

    gc.collect()
    gc.freeze()


def _fork(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    code: ModelCode,
    folder: Path,
    data: Any,
    answers: Connection,
    ours: tuple[int, ...],
) -> tuple[int, int]:
    """Start a process that calls the function; its id, and a pipe that is closed at its end."""
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
        _serve_call(function, arguments, code, folder, data, answers)
        code_ = 0
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code_)


def _serve_call(
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


def _run_trial(
    config: dict[str, Any],
    seed: int,
    device: str,
    threads: int,
    checkpoint: Path | None,
    checkpoint_after: float,
    files: bool,
    log: Path | None,
) -> Message:
    message = _printing(
        log,
        lambda: run_trial(
            config,
            seed,
            _data,
            device,
            threads,
            lambda progress: _answers.send(("report", progress)),
            checkpoint=checkpoint,
            checkpoint_after=checkpoint_after,
            note=lambda text: _answers.send(("note", text)),
            files=_DriverFiles() if files else None,
        ),
    )
    if failure := message.get("failure"):
        message["failure"] = {name: as_written(text) for name, text in failure.items()}
    return message


def _watched(code: ModelCode, function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Path]:
    opened = watch_files(code)
    function(*arguments)
    return opened()
