"""The program `bench`, also `python -m bench`: turns exceptions and signals into messages and exit codes."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path and not __file__.startswith(sys.path[0].rstrip("/") + "/bench/"):
    # `python -m` puts the current folder first; a `random.py` or a `timm` in it must not be imported.
    del sys.path[0]

import traceback

from bench.errors import UserError, escaped
from bench.execution.signals import (
    INTERRUPTED,
    TIME_IS_UP,
    Detached,
    finishing,
    ignore_more,
    is_stop,
    raise_if_stopped,
    stop_on_signals,
    time_is_up,
)
from bench.streams import lost_output, tolerant_streams
from bench.system import set_environment_user


def main() -> None:
    """Run the command line. It ends by SystemExit, with one of the codes that `bench --help` lists."""
    debug = "--debug" in sys.argv
    sys.argv = [sys.argv[0], *(argument for argument in sys.argv[1:] if argument != "--debug")]
    code: int | str | None = 0
    with tolerant_streams(), stop_on_signals():
        try:
            from bench.cli import app  # here, so that a signal while it is imported is caught too

            raise_if_stopped()
            set_environment_user()
            app()
        except BaseException as end:
            with finishing():
                code = _code(end, debug)
                sys.stdout.flush()
                if failure := lost_output():
                    print(f"error: standard output could not be written: {failure}", file=sys.stderr)
                    code = code or 1
                if code in (INTERRUPTED, TIME_IS_UP):
                    ignore_more()
    sys.exit(code)


def _code(end: BaseException, debug: bool) -> int | str | None:
    """The exit code of a command that ended by itself, by a signal or by an exception; says why it could not go on."""
    if isinstance(end, Detached):
        return end.code
    if is_stop(end) and time_is_up():
        print(
            "Stopped: --max-hours is over. What ended is in the ledger; the same command goes on from there.",
            file=sys.stderr,
        )
        return TIME_IS_UP
    if is_stop(end):
        print("Stopped. What ended is in the ledger; the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    if isinstance(end, SystemExit):
        return end.code
    if debug:
        traceback.print_exception(end)
    if isinstance(end, UserError):
        print(f"error: {escaped(str(end))}", file=sys.stderr)  # files may have any name
        return 2
    if not debug:
        text = escaped(f"{type(end).__name__}: {end}")
        print(f"bench failed unexpectedly: {text}\n  --debug shows where", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
