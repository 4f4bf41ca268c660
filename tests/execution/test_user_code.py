"""User code in processes of its own, and records that are of what their keys say whatever is changed meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from commands import bench as bench_process
from commands import start
from rich.console import Console

from bench.commands.check_suites import check
from bench.commands.data import datasets_of
from bench.commands.load_suites import trials_of
from bench.errors import UserError
from bench.execution import forkserver, forkserver_process
from bench.execution.checkpoints import LocalCheckpointFiles
from bench.execution.messages import RunOptions
from bench.execution.rerun import rebuild_trial, train
from bench.execution.run_trials import run_trials
from bench.ledger.ledger import Ledger
from bench.suite.suite import load_suite
from bench.suite.trial import Trial

NETS = """
from torch import nn
import helpers

def net(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(36, classes), helpers.Scale())
"""
HELPERS = """
from pathlib import Path
from torch import nn

class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = float(Path("scale.txt").read_text())

    def forward(self, x):
        return self.by * x
"""
SUITE = """
name: swapped
defaults: {dataset: {name: npz, path: data.npz}, epochs: 2, batch_size: 50, validation: {tail: 0.2}}
grid:
  - {model: {name: 'nets.py:net', files: [scale.txt]}, seeds: 2}
"""
OTHERS = """
  - {model: {name: mlp, hidden: []}, seeds: 1}
"""


def write(folder: Path, more: str = "") -> Path:
    """A suite in the folder, its model with a module and a file beside it, and its data; the suite's path."""
    (folder / "nets.py").write_text(NETS)
    (folder / "helpers.py").write_text(HELPERS)
    (folder / "scale.txt").write_text("1.0")
    write_data(folder)
    path = folder / "suite.yaml"
    path.write_text(SUITE + more)
    return path


def write_data(folder: Path, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 300)
    images = (rng.random((300, 6, 6)) * 150 + labels[:, None, None] * 60).astype(np.uint8)
    part = {"train_images": images[:200], "train_labels": labels[:200]}
    np.savez(folder / "data.npz", **part, test_images=images[200:], test_labels=labels[200:])


class Quiet(AbstractContextManager["Quiet"]):
    """Watches a run, and does something once at its first epoch or when its first trial has ended."""

    def __init__(self) -> None:
        self.at_epoch: Callable[[], object] = lambda: None
        self.at_end: Callable[[], object] = lambda: None
        self.notes: list[str] = []

    def __exit__(self, *_: object) -> None: ...
    def trial_started(self, running: Any) -> None: ...
    def trial_resumed(self, running: Any) -> None: ...
    def trial_paused(self, running: Any) -> None: ...

    def trial_progressed(self, _: Any) -> None:
        do, self.at_epoch = self.at_epoch, lambda: None
        do()

    def trial_ended(self, *_: Any) -> None:
        do, self.at_end = self.at_end, lambda: None
        do()

    def note(self, text: str) -> None:
        self.notes.append(text)


def results(folder: Path) -> dict[str, Any]:
    """Key to what the ledger there has of it."""
    return {record.key: (record.status, record.result) for record in Ledger(folder).records()}


@pytest.fixture(scope="module")
def as_keyed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each key stands for: the results of runs in which nothing changed, by key, for all versions of the files."""
    found: dict[str, Any] = {}
    for name, swap in {"as it is": lambda _: None, **SWAPS}.items():
        folder = tmp_path_factory.mktemp(name.replace(" ", "-"))
        path = write(folder, OTHERS)
        swap(folder)
        if (folder / "nets.py").exists() and (folder / "data.npz").exists():
            run(folder, trials_of(load_suite(path)), Quiet())
            found |= results(folder / "r")
    assert {status for status, _ in found.values()} == {"complete"}
    return found


def standing(folder: Path) -> None:
    """Modules in the folder where the run stands that have the names of others."""
    for name in ("random.py", "torch/__init__.py", "timm/__init__.py", "numpy/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("raise ImportError('not what the driver has')\n")


SWAPS: dict[str, Callable[[Path], object]] = {
    "model edited": lambda folder: (folder / "nets.py").write_text(NETS.replace("classes)", "classes, bias=False)")),
    "model deleted": lambda folder: (folder / "nets.py").unlink(),
    "module edited": lambda folder: (folder / "helpers.py").write_text(HELPERS.replace("self.by * x", "0 * x")),
    "file edited": lambda folder: (folder / "scale.txt").write_text("-3.0"),
    "working folder": standing,
    "data replaced": lambda folder: write_data(folder, 1),
    "data deleted": lambda folder: (folder / "data.npz").unlink(),
}
"""What is changed between a trial's key and its training."""


def expanded(folder: Path) -> list[Trial]:
    return trials_of(load_suite(folder / "suite.yaml"))


def run(folder: Path, trials: list[Trial], view: Quiet, data: Any = None) -> None:
    run_trials(
        trials,
        data or datasets_of(trials, None),
        Ledger(folder / "r"),
        Console(quiet=True),
        RunOptions(gpus_per_trial=0, use_ray=False, checkpoint_after=0),
        display=lambda _: view,
    )


def at_expand(folder: Path, swap: Callable[[], object]) -> None:
    trials = expanded(folder)
    swap()
    run(folder, trials, Quiet())


def at_check(folder: Path, swap: Callable[[], object]) -> None:
    trials = expanded(folder)
    check(load_suite(folder / "suite.yaml"), trials)
    swap()
    run(folder, trials, Quiet())


def at_fetch(folder: Path, swap: Callable[[], object]) -> None:
    trials = expanded(folder)
    data = datasets_of(trials, None)
    swap()
    run(folder, trials, Quiet(), data)


def at_start(folder: Path, swap: Callable[[], object]) -> None:
    view = Quiet()
    view.at_epoch = swap
    run(folder, expanded(folder), view)


def at_second_trial(folder: Path, swap: Callable[[], object]) -> None:
    view = Quiet()
    view.at_end = swap
    run(folder, expanded(folder), view)


def at_retry(folder: Path, swap: Callable[[], object]) -> None:
    """The process of the first trial is killed after an epoch, and the trial tried again."""
    view = Quiet()

    def kill() -> None:
        swap()
        assert forkserver._server is not None
        (child,) = children(forkserver._server.process.pid)
        os.kill(child, signal.SIGKILL)

    view.at_epoch = kill
    run(folder, expanded(folder), view)
    assert "is started again (attempt 2 of 3)" in view.notes[0] and "SIGKILL" in view.notes[0]


def at_resume(folder: Path, swap: Callable[[], object]) -> None:
    """The run is stopped in its first trial, and started again once all is swapped."""
    view = Quiet()

    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    view.at_epoch = stop
    with pytest.raises(StopError):
        run(folder, expanded(folder), view)
    swap()
    run(folder, expanded(folder), Quiet())


def at_reproduce(folder: Path, swap: Callable[[], object]) -> None:
    """Trials are rebuilt from records, then swapped; what training says is published under the key as a test of it."""
    run(folder, expanded(folder), Quiet())
    records = Ledger(folder / "r").records()
    again = [rebuild_trial(record, folder) for record in records]
    data = datasets_of(again, None)
    swap()
    for record, trial in zip(records, again, strict=True):
        message, _ = train(trial, data[trial.data], 1, "", "cpu", lambda _: None)
        assert (record.key, message.result) == (trial.key, record.result)


STAGES = (at_expand, at_check, at_fetch, at_start, at_second_trial, at_retry, at_resume, at_reproduce)


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
@pytest.mark.parametrize("name", SWAPS)
def test_no_record_stands_under_a_key_that_is_not_its_own(
    stage: Callable[[Path, Callable[[], object]], None],
    name: str,
    as_keyed: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path, OTHERS)
    monkeypatch.chdir(tmp_path)
    refused = None
    try:
        stage(tmp_path, lambda: SWAPS[name](tmp_path))
    except UserError as error:
        refused = str(error)
    found = results(tmp_path / "r")
    assert found == {key: as_keyed.get(key) for key in found}
    keyed_but_not_read = "data" in name and stage in (at_expand, at_check)
    if keyed_but_not_read or ("deleted" in name and stage is at_resume):
        assert refused and not found
    else:
        assert (refused, len(found)) == (None, 3)


@pytest.mark.slow
def test_nor_does_one_with_ray(as_keyed: dict[str, Any], tmp_path: Path) -> None:
    """All is changed when the first trial has ended; the one slot's process imports nothing anew for the others."""
    write(tmp_path, OTHERS)
    process = start("run", tmp_path / "suite.yaml", "--jobs", 1, "--gpus-per-trial", 0, "--results", tmp_path / "r")
    while not list((tmp_path / "r").glob("entries/*/*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    for name in sorted(SWAPS):  # a model that was deleted comes back as another
        SWAPS[name](tmp_path)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found = results(tmp_path / "r")
    assert found == {key: as_keyed.get(key) for key in found}
    assert len(found) == 3


NASTY = """
import os, random, sys, warnings
import numpy, torch
from torch import nn
import bench.training.fit, bench.models.mlp_and_cnn

plain = nn.Linear
pool = []

class Linear(plain):
    def reset_parameters(self):
        nn.init.zeros_(self.weight)

def spoil():
    \"\"\"All that a process has one of.\"\"\"
    torch.nn.Linear = nn.Linear = Linear
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(3)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = True
    torch.set_grad_enabled(False)
    torch.relu = torch.tanh
    nn.Module.__call__ = lambda self, x: 0 * x
    nn.modules.module.register_module_forward_hook(lambda *_: 1 / 0)
    bench.training.fit.batch_sizes = lambda count, size: [count]
    numpy.random.permutation = lambda n: numpy.arange(n)
    random.seed = lambda *_: None
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":16:8"
    os.chdir("/")
    warnings.simplefilter("error")
    sys.path.clear()
    sys.modules["bench.training.objective"] = None

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.out = plain(36, classes)
        with torch.no_grad():
            self.out.weight.add_(len(pool))
    def forward(self, x):
        found = self.out(x.flatten(1))
        if self.training:
            pool.append(found.detach())
        elif len(pool) > 7:  # at the end of its training
            spoil()
        return found

def net(input_shape, classes):
    return Net(classes)
"""


def test_what_user_code_does_to_its_process_reaches_no_other_trial(tmp_path: Path) -> None:
    path = write(tmp_path, OTHERS.replace("seeds: 1", "seeds: 2"))
    (tmp_path / "nets.py").write_text(NASTY)
    trials = trials_of(load_suite(path))
    data = datasets_of(trials, None)
    folder = Path.cwd()
    check(load_suite(path), trials)
    run(tmp_path, [trials[0], trials[2], trials[1], trials[3]], Quiet(), data)
    assert (Path.cwd(), os.environ["CUBLAS_WORKSPACE_CONFIG"]) == (folder, ":4096:8")
    together = results(tmp_path / "r")
    assert len(together) == 4
    for trial in trials:
        alone = tmp_path / trial.key
        alone.mkdir()
        run(alone, [trial], Quiet(), data)
        assert results(alone / "r") == {trial.key: together[trial.key]}, trial.config.model.name
    assert {together[trial.key][0] for trial in trials[2:]} == {"complete"}


def test_a_network_of_lazy_layers_trains_as_the_same_one_with_its_shapes_written(tmp_path: Path) -> None:
    path = write(tmp_path)
    accuracies = []
    for layers in ("nn.LazyLinear(4), nn.LazyLinear(classes)", "nn.Linear(36, 4), nn.Linear(4, classes)"):
        (tmp_path / "nets.py").write_text(NETS.replace("nn.Linear(36, classes)", layers))
        trials = trials_of(load_suite(path))
        check(load_suite(path), trials)
        run(tmp_path, trials, Quiet())
        accuracies.append([results(tmp_path / "r")[trial.key][1].test for trial in trials])
    assert accuracies[0] == accuracies[1]


def test_a_cache_in_the_module_is_empty_for_every_seed(tmp_path: Path) -> None:
    """It would hand a network on that has been trained; before the run it is refused, see `tests/made/mistakes`."""
    path = write(tmp_path)
    made = "nn.Sequential(nn.Flatten(), nn.Linear(36, c))"
    (tmp_path / "nets.py").write_text(
        f"from torch import nn\nkept = []\ndef net(s, c):\n  kept or kept.append({made})\n  return kept[0]\n"
    )
    trials = trials_of(load_suite(path))
    data = datasets_of(trials, None)
    run(tmp_path, trials, Quiet(), data)
    (tmp_path / "alone").mkdir()
    run(tmp_path / "alone", trials[1:], Quiet(), data)
    together = results(tmp_path / "r")
    assert results(tmp_path / "alone/r").items() <= together.items()
    assert {status for status, _ in together.values()} == {"complete"}


def test_a_timm_model_starts_from_the_weights_that_its_key_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = write(tmp_path)
    model = "{name: test_resnet, pretrained: true, pretrained_cfg_overlay: {file: w.pth}}"
    path.write_text(SUITE.partition("grid:")[0] + f"grid: {{model: {model}, seeds: 1}}\n")

    def save_weights() -> None:
        torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "w.pth")

    save_weights()
    trials = expanded(tmp_path)
    check(load_suite(path), trials)
    remembered = [path.read_text() for path in (tmp_path / "cache").rglob("libraries/*")]
    assert set(remembered) <= {"{}"}, "whether they fit is asked again"
    run(tmp_path, trials, Quiet())
    kept = results(tmp_path / "r")
    save_weights()
    (tmp_path / "again").mkdir()
    run(tmp_path / "again", trials, Quiet())
    assert results(tmp_path / "again/r") == kept
    run(tmp_path, expanded(tmp_path), Quiet())
    (first, second) = results(tmp_path / "r").values()
    assert (first[0], second[0]) == ("complete", "complete")
    assert first[1] != second[1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import os; os._exit(3)", r"its code ended the process that ran it \(exit code 3\)"),
        ("import os; os.kill(os.getpid(), 11)", r"the process that ran its code was ended by SIGSEGV"),
    ],
)
def test_code_that_ends_its_process_ends_no_other(body: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "nets.py").write_text(f"def net(input_shape, classes):\n    {body}\n")
    suite = load_suite(path)
    trials = trials_of(suite)
    with pytest.raises(UserError, match=rf"model 'nets.py:net': {message}"):
        check(suite, trials)
    view = Quiet()
    run(tmp_path, trials[:1], view)
    (record,) = Ledger(tmp_path / "r").records()
    assert record.failure is not None
    assert record.failure["kind"] == "WorkerDied"
    assert len(view.notes) == 2


def test_the_servers_death_while_data_are_sent_to_it_is_a_lost_trial_and_the_true_signal_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial, _) = trials_of(load_suite(write(tmp_path)))
    data = datasets_of([trial], None)[trial.data]
    data = replace(data, test_images=np.repeat(data.test_images, 100, 0), test_labels=np.repeat(data.test_labels, 100))
    server = forkserver.start().process
    os.kill(server.pid, signal.SIGSTOP)  # so that what is sent waits
    sending, send = threading.Event(), forkserver._Server._send

    def sends(self: forkserver._Server, *message: Any) -> None:
        if message[0] == "data":
            sending.set()
        send(self, *message)

    monkeypatch.setattr(forkserver._Server, "_send", sends)

    def end() -> None:
        assert sending.wait(300)
        time.sleep(0.3)
        os.kill(server.pid, signal.SIGTERM)
        os.kill(server.pid, signal.SIGCONT)

    thread = threading.Thread(target=end)
    thread.start()
    view = Quiet()
    run(tmp_path, [trial], view, {trial.data: data})
    thread.join()
    assert [record.status for record in Ledger(tmp_path / "r").records()] == ["complete"]
    assert "the process that starts those of models' code was ended by SIGTERM" in view.notes[0]


def test_a_process_that_dies_before_its_question_is_answered_is_a_lost_trial(tmp_path: Path) -> None:
    """As for want of memory while a checkpoint is written."""

    class Files(LocalCheckpointFiles):
        def has_folder(self, _: Path) -> bool:
            assert forkserver._server is not None
            for child in children(forkserver._server.process.pid):
                os.kill(child, signal.SIGKILL)
            time.sleep(0.1)
            return True

    (trial, _) = trials_of(load_suite(write(tmp_path)))
    data = datasets_of([trial], None)[trial.data]
    with pytest.raises(forkserver.ProcessDiedError, match="its code was ended by SIGKILL, perhaps for want of memory"):
        forkserver.train(
            trial.code,
            trial.run_config,
            0,
            data,
            "cpu",
            1,
            lambda _: None,
            checkpoint=tmp_path / "checkpoints/a.pt",
            checkpoint_after=0,
            files=Files(),
        )


def test_a_stop_of_a_trial_is_passed_on_though_the_server_is_gone(tmp_path: Path) -> None:
    (trial, _) = trials_of(load_suite(write(tmp_path)))
    data = datasets_of([trial], None)[trial.data]

    def report(_: object) -> None:
        server = forkserver.start().process
        server.kill()
        server.wait()
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        forkserver.train(trial.code, trial.run_config, 0, data, "cpu", 1, report)


def test_slow_modules_are_imported_for_all_once_code_has_needed_them(tmp_path: Path) -> None:
    (trial, _) = trials_of(load_suite(write(tmp_path)))
    forkserver.start().close()  # other tests may have needed them
    needed = ", ".join(forkserver_process.SLOW_MODULES)
    there = f"set({forkserver_process.SLOW_MODULES}) & set(__import__('sys').modules)"
    assert forkserver.call(trial.code, eval, there) == set()
    forkserver.call(trial.code, exec, f"import {needed}")
    assert forkserver.call(trial.code, eval, there) == set(forkserver_process.SLOW_MODULES)


def test_files_that_a_factory_reads_and_its_key_does_not_hold_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    prior, declared = tmp_path / "prior.txt", tmp_path / "scale.txt"
    prior.write_text("2")
    (tmp_path / "nets.py").write_text(
        NETS.replace("import helpers", f"import helpers\nopen({str(prior)!r}), open({str(declared)!r})")
    )
    trials = trials_of(load_suite(path))
    check(load_suite(path), trials)
    err = capsys.readouterr().err
    assert f"'nets.py:net' reads {prior}, which the trials' keys do not hold" in err
    assert err.count("note: ") == 1
    declared.write_text("2.0")
    with pytest.raises(UserError, match=r"scale\.txt has changed since the trial's key was made of it"):
        check(load_suite(path), trials)
    run(tmp_path, trials[:1], Quiet())
    (record,) = Ledger(tmp_path / "r").records()
    assert record.failure is not None
    assert "has changed since the trial's key was made" in record.failure["message"]


def test_what_user_code_prints_is_no_output_of_a_command(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "nets.py").write_text(f"print('hello')\n{NETS}")
    code, out, err = bench_process("plan", path, "--json", "--results", tmp_path / "r")
    assert code == 0, err
    assert out.startswith("{")
    assert "hello" in err


def test_a_stopped_driver_leaves_no_process_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    (tmp_path / "nets.py").write_text(NETS.replace("def net", "import time\ndef net") + "    time.sleep(600)\n")
    (tmp_path / "nets.py").write_text(
        "import os, pathlib, time\n"
        f"def net(input_shape, classes):\n    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(600)\n"
    )
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    for number in (signal.SIGKILL,):
        process = start("plan", path, "--results", tmp_path / "r")
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        child = int((tmp_path / "pid").read_text())
        process.send_signal(number)
        process.communicate(timeout=300)
        end = time.monotonic() + 120
        while Path(f"/proc/{child}").exists() or list((tmp_path / "temporary").glob("bench-code-*")):
            assert time.monotonic() < end
            time.sleep(0.05)
        (tmp_path / "pid").unlink()
