"""`bench doctor`: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from textwrap import fill

import typer

from bench.commands.options import RESULTS, AsJson, DataDir, Results
from bench.streams import reserve_stdout

COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor(results: Results = RESULTS, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check this machine: Python, torch, Ray, timm, devices, data, disks. Exit code 1 if something does not work."""
    out = reserve_stdout() if as_json else sys.stdout
    from bench.commands.checks import checks

    levels: Counter[str] = Counter()
    done = []
    for check in checks(results, data_dir):
        levels[check.level] += 1
        done.append(asdict(check))
        if not as_json:
            typer.secho(check.level.ljust(9), fg=COLOURS[check.level], nl=False)
            typer.echo(f"{check.name.ljust(15)}{check.found}")
            if check.advice:
                typer.echo(fill(check.advice, 100, initial_indent=" " * 24, subsequent_indent=" " * 24))
    if as_json:
        typer.echo(
            json.dumps({"problems": levels["problem"], "warnings": levels["warning"], "checks": done}, indent=2),
            file=out,
        )
    else:
        typer.echo(f"\n{_count(levels['problem'], 'problem')}, {_count(levels['warning'], 'warning')}")
    raise typer.Exit(1 if levels["problem"] else 0)


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
