"""What trials print in worker processes, where no terminal is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.execution.worker import LOG_BYTES, capture_output, log_path, remove_logs, save_log


def test_all_that_is_printed_goes_into_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    print("before")
    with capture_output(path) as printed:
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

    with pytest.raises(ValueError), capture_output(tmp_path / "a.log"):
        fail()
    assert (tmp_path / "a.log").read_text() == "why\n"
    with capture_output(tmp_path / "b.log") as printed:
        assert printed() == ""
    assert not (tmp_path / "b.log").exists()


def test_on_another_machine_the_end_travels_home(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    path = log_path(tmp_path, "ab12")
    with capture_output(tmp_path / "not" / "here") as printed:
        print("x" * LOG_BYTES + "the end")
        text = printed()
    assert len(text) == LOG_BYTES and text.endswith("the end\n")
    save_log(text, path)
    save_log("something else", path)
    assert path.read_text() == text
    (tmp_path / "logs" / "ab12.1.log").write_text("another rank")
    (tmp_path / "logs" / "ab1234.log").write_text("another trial")
    remove_logs(path)  # as when the trial is tried again
    save_log("something else", path)
    assert path.read_text() == "something else"
    assert sorted(log.name for log in (tmp_path / "logs").iterdir()) == ["ab12.log", "ab1234.log"]


def test_a_trial_that_is_tried_again_has_no_log_of_the_attempt_before(tmp_path: Path) -> None:
    """Its worker may be on another machine, whose file does not replace the one here."""
    from bench.execution.tune import QueueSearcher

    log_path(tmp_path, "ab12").parent.mkdir()
    log_path(tmp_path, "ab12").write_text("of the attempt that failed")
    config = SimpleNamespace(workers=1, to_json=dict)
    trial = SimpleNamespace(key="ab12", run_config=config, seed=0, config=config, code=None)
    coordinator = SimpleNamespace(running={}, next_trial=lambda _: trial, local_folder=tmp_path)
    assert QueueSearcher(cast("Any", coordinator), cast("Any", None), 1).suggest("1")["key"] == "ab12"
    assert not log_path(tmp_path, "ab12").exists()
