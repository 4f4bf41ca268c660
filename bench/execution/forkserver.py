"""User code runs in processes of its own, forked from one that has imported torch and has run nothing.

Importing torch takes seconds and a fork some milliseconds, so each trial of a model of the user's own has a fresh
process: what its code leaves behind (patched classes, random generators, caches, settings of torch, environment
variables, a changed folder) ends with it, and reaches neither the driver nor another trial. The server
(`bench.execution.forkserver_process`) is started once in each process that needs it, on first use.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Unpack

from bench.errors import UserError
from bench.execution.checkpoints import LocalCheckpointFiles
from bench.execution.forkserver_process import run_with_data, watched
from bench.execution.logs import run_logged
from bench.execution.messages import TrialFailure, TrialResult
from bench.execution.worker import TrainingOptions, run_trial
from bench.suite.trial import TrialConfig
from bench.user_code.component_code import UserCode

START = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from bench.execution.forkserver_process import serve; serve(*sys.argv[1:3])"
)


class ProcessDiedError(Exception):
    """The process that ran the user's code ended before it had an answer."""


class _Server:
    """A server's process and the connection to it; it runs one call at a time."""

    def __init__(self) -> None:
        parent_socket, child_socket = socket.socketpair()
        lifeline, alive = os.pipe()
        with child_socket:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, str(child_socket.fileno()), str(lifeline), *sys.path],
                pass_fds=(child_socket.fileno(), lifeline),
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,  # what user code prints is no output of a command
                process_group=0,  # Ctrl-C is handled by this process
            )
        os.close(lifeline)
        self.alive = alive
        self.socket = parent_socket
        self.connection = Connection(os.dup(parent_socket.fileno()))
        self.data: Any = None
        self.data_id: str | None = None

    def call(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        code: UserCode,
        answer: Callable[[str, Any], Any],
    ) -> Any:
        """Run a function in a new process that has a model's code; `answer` is called with what it sends meanwhile.

        Raises
        ------
        UserError
            As the function does.
        ProcessDiedError
            The process ended otherwise.
        """
        messages, child_messages = Pipe()
        with messages:
            with child_messages:
                self._send("call", function, arguments, code)
                with self._death_reported():
                    socket.send_fds(self.socket, [b"."], [child_messages.fileno()])
            try:
                while True:
                    kind, value = self._receive(messages)
                    if kind == "ended":
                        raise ProcessDiedError(value)
                    if kind in ("result", "error"):
                        break
                    if (reply := answer(kind, value)) is not None:
                        with contextlib.suppress(ConnectionError):  # the next message is that it has ended
                            messages.send(reply)
            except ProcessDiedError:
                raise
            except Exception:
                with contextlib.suppress(ConnectionError):
                    self.connection.send(("kill",))
                self._wait()
                raise
            except BaseException:  # at any moment, so a message may be half sent
                self.close()
                raise
            self._wait()
            if kind == "error":
                raise value
            return value

    def _receive(self, messages: Connection) -> tuple[str, Any]:
        """The next message of a call's process; ``("ended", how)`` if it has ended."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            if messages in wait([messages, self.connection]) or messages.poll():
                message: tuple[str, Any] = messages.recv()
                return message
        return "ended", self._wait()

    def _wait(self) -> str:
        """Wait until the server has seen its process end; how it did, in words."""
        try:
            return _death(os.waitstatus_to_exitcode(self.connection.recv()))
        except (EOFError, OSError):
            return self._server_death()

    def _server_death(self) -> str:
        """How the server itself ended, in words."""
        self.close()
        return _death(self.process.returncode, "the process that starts those of models' code")

    @contextlib.contextmanager
    def _death_reported(self) -> Iterator[None]:
        """Raise ProcessDiedError if the server dies while something is sent to it."""
        try:
            yield
        except ConnectionError as error:
            raise ProcessDiedError(self._server_death()) from error

    def _send(self, *message: Any) -> None:
        with self._death_reported():
            self.connection.send(message)

    def give_data(self, data: Any, data_id: str | None) -> None:
        """Send data for calls, unless the server has them: those with this `data_id`, or without one this object."""
        if self.data is None or (data is not self.data if data_id is None else data_id != self.data_id):
            self._send("data", data)
            self.data, self.data_id = data, data_id

    def close(self) -> None:
        """End the server, and what it runs."""
        global _server
        if _server is self:
            _server = None
        self.connection.close()
        self.socket.close()
        with contextlib.suppress(OSError):
            os.close(self.alive)
        self.alive = -1  # a number that is closed is soon another file's
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


def call(code: UserCode | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of bench's: in a new process with a model's `code`, or in this one if there is none.

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
        raise UserError(f"{code.title}: {error}") from error


def files_opened(code: UserCode, function: Callable[..., Any], *arguments: Any) -> list[Path]:
    """Call a function as `call` does; the files that the user's code reads meanwhile and its key does not cover."""
    files: list[Path] = call(code, watched, code, function, arguments)
    return files


def train(
    code: UserCode | None,
    config: TrialConfig,
    seed: int,
    data: Any,
    device: str,
    threads: int,
    report: Callable[[Any], None],
    data_id: str | None = None,
    log: Path | None = None,
    **options: Unpack[TrainingOptions],
) -> TrialResult | TrialFailure:
    """`bench.execution.worker.run_trial` for a trial of one worker; with the user's `code` in a new process.

    `data_id` identifies `data` where equal data come as ever new objects. What `report` raises ends the process and is
    passed on, whatever its type. What the trial prints goes into the file `log`, if one is given.

    Raises
    ------
    ProcessDiedError
        The process ended before the trial did.
    """
    if code is None:
        return run_logged(log, lambda: run_trial(config, seed, data, device, threads, report, **options))
    server = start()
    server.give_data(data, data_id)
    files, note = options.get("files"), options.get("note")
    disk = files or LocalCheckpointFiles()

    def answer(kind: str, value: Any) -> Any:
        if kind == "note":
            if note:
                note(value)
        elif kind == "report":
            report(*value)
            return "done", None
        else:
            try:
                return "done", getattr(disk, kind)(*value)
            except (OSError, UserError) as error:
                return "failed", error
        return None

    sent = ("checkpoint", "checkpoint_after", "network_origin", "pause_after", "gpu_fraction")
    sent_options = {name: value for name, value in options.items() if name in sent}
    arguments = (config, seed, device, threads, log, files is not None, sent_options)
    end: TrialResult | TrialFailure = server.call(run_with_data, arguments, code, answer)
    return end


def _death(code: int, process: str = "") -> str:
    """How a process ended, by its exit code, which is a signal's negative number."""
    if code >= 0:
        return (
            f"{process} ended (exit code {code})"
            if process
            else f"its code ended the process that ran it (exit code {code})"
        )
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    why = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    return f"{process or 'the process that ran its code'} was ended by {name}{why}"
