"""What trials print in worker processes, where no terminal is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.execution.trial_log import KEPT_BYTES, keep, log_of, printed_to, with_printed


def test_all_that_is_printed_goes_into_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    print("before")
    with printed_to(path) as printed:
        print("python − \x1b[31m")
        print("error", file=sys.stderr)
        os.write(1, b"compiled\n")
        subprocess.run(["echo", "child"], check=True)
        assert printed() == "python − \\x1b[31m\nerror\ncompiled\nchild\n"
    print("after")
    assert capfd.readouterr() == ("before\nafter\n", "")
    assert path.read_text(encoding="utf-8").splitlines()[1:] == ["error", "compiled", "child"]


def test_what_is_printed_before_an_exception_is_kept_and_silence_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        print("why")
        raise ValueError

    with pytest.raises(ValueError), printed_to(tmp_path / "a.log"):
        fail()
    assert (tmp_path / "a.log").read_text() == "why\n"
    with printed_to(tmp_path / "b.log") as printed:
        assert printed() == ""
    assert not (tmp_path / "b.log").exists()


def test_on_another_machine_the_end_travels_home(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    path = log_of(tmp_path, "ab12")
    with printed_to(tmp_path / "not" / "here") as printed:
        print("x" * KEPT_BYTES + "the end")
        text = printed()
    assert len(text) == KEPT_BYTES and text.endswith("the end\n")
    keep(text, path)
    keep("something else", path)
    assert path.read_text() == text
    failure = with_printed({"kind": "ValueError", "message": "no"}, text)
    assert failure["printed"].endswith("the end\n") and len(failure["printed"]) == 2000
    assert with_printed({"kind": "E"}, " \n") == {"kind": "E"}
