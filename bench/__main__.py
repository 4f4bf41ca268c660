"""The program `bench`, also `python -m bench`: turns exceptions and signals into messages and exit codes."""

from __future__ import annotations

import signal
import sys
import traceback

from bench.execution.stop import INTERRUPTED, Detached, is_stopped, stop_on_signals
from bench.suite.errors import UserError


def main() -> None:
    """Run the command line. It ends by SystemExit, with one of the codes that `bench --help` lists."""
    debug = "--debug" in sys.argv
    sys.argv = [sys.argv[0], *(argument for argument in sys.argv[1:] if argument != "--debug")]
    try:
        with stop_on_signals():
            from bench.cli import app  # here, so that a signal while it is imported is caught too

            app()
    except BaseException as end:
        sys.exit(_told(end, debug))


def _told(end: BaseException, debug: bool) -> int | str | None:
    """Say why the program ends; its exit code."""
    if isinstance(end, Detached):
        return end.code
    # While Ray starts, its own handler leaves with the signal's number.
    by_signal = isinstance(end, SystemExit) and end.code in (INTERRUPTED, signal.SIGTERM)
    if by_signal or is_stopped() or isinstance(end, KeyboardInterrupt):
        print("Stopped. What ended is in the ledger; the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    if isinstance(end, SystemExit):
        # `bench list models | head` is no failure
        return 0 if isinstance(end.__context__, BrokenPipeError) else end.code
    if debug:
        traceback.print_exception(end)
    if isinstance(end, UserError):
        print(f"error: {end}", file=sys.stderr)
        return 2
    if not debug:
        print(f"bench failed unexpectedly: {type(end).__name__}: {end}\n  --debug shows where", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
