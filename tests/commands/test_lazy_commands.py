"""`bench --help` names all commands and imports none of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.cli import COMMANDS, load_command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_is_the_first_paragraph_of_the_commands_own(name: str) -> None:
    assert load_command(name).help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name].help


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["report", "--help"], ["compare", "--help"]])
def test_help_needs_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys; from bench.cli import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'ray', 'timm', 'pandas', 'scipy', 'altair'}\n"
        "print(sorted(heavy & sys.modules.keys()), sum(name.startswith('bench.commands.') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    libraries, modules = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert libraries == "[]"
    assert int(modules) == 1 or arguments != ["--help"]  # the options that commands share


def test_an_unknown_command_gets_the_nearest_name() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "reprot"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Did you mean 'report'" in done.stderr
