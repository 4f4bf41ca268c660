"""Whatever standard output leads to, a command goes on and says what it has to say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.streams import ERRORS

COMMAND = [sys.executable, "-m", "bench"]


def ran(*arguments: str, encoding: str = "utf-8", code: str = "", more: str = "") -> tuple[int, bytes, str]:
    """The command, or Python `code`, through a shell that adds `more`: exit code, stdout and stderr."""
    words = [sys.executable, "-c", code] if code else [*COMMAND, *arguments]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(
        ["sh", "-c", f'"$@" {more}', "sh", *words], env=environment, capture_output=True, timeout=400, check=False
    )
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "9.3 +- .2 %, -1 x 2 . Kuhe ? sqrt 2 _#"),
        ("latin-1", "9.3 ± .2 %, -1 × 2 · Kühe ? sqrt 2 _#"),
        ("cp1252", "9.3 ± .2 %, -1 × 2 · Kühe ? sqrt 2 _#"),
        ("utf-8", "9.3 ± .2 %, −1 × 2 · Kühe 林 √2 ▁█"),
    ],
)
def test_what_a_terminal_cannot_show_is_replaced_by_what_resembles_it(encoding: str, shown: str) -> None:
    text = "9.3 ± .2 %, −1 × 2 · Kühe 林 √2 ▁█"
    assert text.encode(encoding, ERRORS).decode(encoding) == shown


def test_a_name_that_is_no_text_at_all_is_shown_too() -> None:
    assert "caf\udce9.yaml".encode("utf-8", ERRORS) == b"caf?.yaml"


@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict", "latin-1", "cp1252", "utf-8"])
def test_print_click_and_rich_all_go_through_it(encoding: str) -> None:
    code = """
import sys, typer
from bench.streams import tolerant_streams
with tolerant_streams():
    from rich.console import Console
    from rich.table import Table
    print("− print"); typer.echo("− click"); print("− error", file=sys.stderr)
    table = Table("− head"); table.add_row("− cell"); Console(force_terminal=True, color_system=None).print(table)
"""
    exit_code, out, err = ran(encoding=encoding, code=code)
    lines = out.decode(encoding.partition(":")[0])
    minus = "−" if encoding == "utf-8" else "-"
    assert exit_code == 0, err
    assert [word in lines for word in (f"{minus} print", f"{minus} click", f"{minus} head", f"{minus} cell")] == [
        True
    ] * 4
    assert err == f"{minus} error\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_commands_end_well_on_a_terminal_without_utf_8(encoding: str) -> None:
    code, out, err = ran("list", "published", encoding=encoding)
    assert (code, err) == (0, "")
    assert len(out.decode(encoding).splitlines()) > 100
    code, _, err = ran("plan", "Kühe−.yaml", encoding=encoding)
    assert code == 2
    assert "there is no such suite file" in err


def test_a_full_disk_is_told_and_a_closed_stream_or_pipe_is_not() -> None:
    assert ran("list", "metrics", more="> /dev/full") == (
        1, b"", "error: standard output could not be written: No space left on device\n",
    )  # fmt: skip
    assert ran("list", "metrics", more=">&-") == (0, b"", "")
    assert ran("list", "metrics", more="2>&-")[0] == 0
    assert ran("plan", "nothing.yaml", more="2> /dev/full")[0] == 2
    code = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE); p.stdout.close(); "
    words = [sys.executable, "-c", f"{code}sys.exit(p.wait())", *COMMAND, "list", "published"]
    done = subprocess.run(words, capture_output=True, timeout=400, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_stream_s_number_is_not_given_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    code = f"""
import os
from bench.streams import tolerant_streams
with tolerant_streams():
    with open({str(path)!r}, "w") as file:
        print("printed"); os.write(1, b"raw")
"""
    assert ran(code=code, more=">&- 2>&-")[0] == 0
    assert path.read_text() == ""


def test_reserved_output_holds_nothing_that_others_print() -> None:
    """A user's model prints when it is imported, built and forgotten, by Python, by C and by a child."""
    code = """
import atexit, json, os, sys, typer
from bench.streams import reserve_stdout, tolerant_streams
atexit.register(print, "at the end")
with tolerant_streams():
    out = reserve_stdout()
    print("print"); os.write(1, b"raw\\n"); os.system("echo child")
    typer.echo(json.dumps({"a": 1}), file=out)
"""
    exit_code, out, err = ran(code=code)
    assert (exit_code, json.loads(out)) == (0, {"a": 1})
    assert sorted(err.splitlines()) == ["at the end", "child", "print", "raw"]
