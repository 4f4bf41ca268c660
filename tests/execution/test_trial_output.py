"""What trials print in worker processes, where no terminal is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.execution import logs
from bench.execution.logs import LOG_BYTES, capture_output, log_path, log_text, new_log, save_log


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
    with pytest.raises(KeyboardInterrupt), capture_output(tmp_path / "c.log"):
        raise KeyboardInterrupt  # as of a trial that was pruned
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


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
    assert log_text(tmp_path, "ab12") == f"{text}\n[rank 1]\nanother rank"
    assert new_log(tmp_path, "ab12") == path  # as when the trial is tried again
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
    coordinator = SimpleNamespace(
        running={},
        next_trial=lambda _: trial,
        local_folder=tmp_path,
        network_origin=lambda _: None,
        rung_epochs=lambda _: (),
        alone=set(),
        pause_after=lambda _: (),
    )
    assert QueueSearcher(cast("Any", coordinator), cast("Any", None), 1).suggest("1")["key"] == "ab12"
    assert not log_path(tmp_path, "ab12").exists()


def test_a_log_has_a_largest_size_and_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 1000)
    with capture_output(tmp_path / "a.log"):
        for number in range(1000):
            print(f"line {number}")
    text = (tmp_path / "a.log").read_text()
    assert (
        len(text) < 600 and text.startswith("[8390 bytes before this were removed]\n") and text.endswith("line 999\n")
    )
    with capture_output(tmp_path / "b.log") as printed:
        print("x" * 2000)
        sys.stdout.flush()
        with (tmp_path / "b.log").open("ab") as file:
            logs.trim(file)  # a trial that goes on printing appends to what is left
        print("y")
        assert printed().endswith("xxx\ny\n")
    assert (tmp_path / "b.log").stat().st_size < 600


def test_without_ray_a_trial_has_a_log_too_and_the_runs_own_lines_are_not_in_it(
    tmp_path: Path,
    few_pictures: Any,
    suite_of: Any,
    trials_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from rich.console import Console

    from bench.execution import run_trials as run_module
    from bench.execution.messages import RunOptions
    from bench.ledger.ledger import Ledger

    original = run_module.train

    def talking(*arguments: Any, log: Path, **options: Any) -> Any:
        from bench.execution import forkserver

        plain = forkserver.run_trial

        def run_trial(*arguments: Any, **options: Any) -> Any:
            print("a library warns")
            os.write(2, b"compiled code too\n")
            return plain(*arguments, **options)

        monkeypatch.setattr(forkserver, "run_trial", run_trial)
        return original(*arguments, log=log, **options)

    monkeypatch.setattr(run_module, "train", talking)
    trials = trials_of(suite_of("grid: {model: mlp, batch_size: 32, epochs: 2}"))
    ledger = Ledger(tmp_path / "results")
    console = Console(markup=False, highlight=False)
    (record,) = run_module.run_trials(trials, few_pictures, ledger, console, RunOptions(use_ray=False))
    assert log_text(tmp_path / "results", record.key) == "a library warns\ncompiled code too\n"
    out = capfd.readouterr().out
    assert "complete after 2 epochs" in out and "a library warns" not in out
