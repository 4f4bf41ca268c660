"""The program `bench`, also `python -m bench`: turns exceptions and signals into messages and exit codes."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path and not __file__.startswith(sys.path[0].rstrip("/") + "/bench/"):
    # `python -m` puts the folder where one stands before all others; a `random.py` or a `timm` there is none of ours.
    del sys.path[0]

import contextlib
import traceback

from bench.execution.stop import INTERRUPTED, is_stop, raise_if_stopped, stop_on_signals
from bench.suite.errors import UserError


def main() -> None:
    """Run the command line. It ends by SystemExit, with one of the codes that `bench --help` lists."""
    debug = "--debug" in sys.argv
    sys.argv = [sys.argv[0], *(argument for argument in sys.argv[1:] if argument != "--debug")]
    with stop_on_signals():
        try:
            from bench.cli import app  # here, so that a signal while it is imported is caught too

            raise_if_stopped()
            app()
        except SystemExit as end:
            sys.exit(_left(end))
        except BaseException as end:
            if debug and not isinstance(end, KeyboardInterrupt):
                traceback.print_exception(end)
            sys.exit(_failed(end, debug))


def _left(end: SystemExit) -> int | str | None:
    """The exit code of a command that ended by itself, or by a signal."""
    from bench.commands.cluster import Detached

    if isinstance(end.__context__, BrokenPipeError):  # `bench list models | head` is no failure
        return 0
    return _stopped() if is_stop(end) and not isinstance(end, Detached) else end.code


def _failed(end: BaseException, debug: bool) -> int:
    """Say why a command could not go on; the exit code."""
    if is_stop(end):
        return _stopped()
    if isinstance(end, UserError):
        print(f"error: {end}", file=sys.stderr)
        return 2
    if not debug:
        print(f"bench failed unexpectedly: {type(end).__name__}: {end}\n  --debug shows where", file=sys.stderr)
    return 1


def _stopped() -> int:
    with contextlib.suppress(BrokenPipeError):  # Ctrl-C ends `bench run ... 2>&1 | tee log` whole
        print("Stopped. What ended is in the ledger; the same command goes on from there.", file=sys.stderr)
    return INTERRUPTED


if __name__ == "__main__":
    main()
