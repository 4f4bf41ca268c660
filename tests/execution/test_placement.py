"""Where trials run on a cluster of unlike nodes; its GPUs are only said to be there, so the trials compute on CPUs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.system import gpu_slots

MODEL = '''
"""A linear network that waits until as many trials run as fit, and writes down where it is."""
import json, os, time
from pathlib import Path
import torch

HERE = Path("FOLDER") / "seen"

def net(input_shape, classes):
    # Its process is forked for the trial from one that belongs to Ray's worker, and has what Ray tells that.
    gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    place = {"raylet": int(os.environ["RAY_RAYLET_PID"]), "gpus": gpus}
    (HERE / f"{os.getppid()}.json").write_text(json.dumps(place))
    end = time.monotonic() + 400
    while len(list(HERE.glob("*.json"))) < WANTED and time.monotonic() < end:
        time.sleep(0.05)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, classes))
'''

DRIVER = """
import json, sys, threading, time
from pathlib import Path
import numpy as np
from bench.execution.messages import Connection, RunOptions
from bench.execution import tune
from bench.execution.tune import run_on_ray
import ray
from ray.cluster_utils import Cluster
from bench.data import Dataset
from bench.execution.coordinator import Coordinator
from bench.ledger.ledger import Ledger
from bench.user_code.read_code import read_component
from bench.errors import UserError
from bench.suite.suite import load_suite
from bench.suite.trial import trials

class Quiet:
    most = resumed = 0
    def trial_started(self, running): self.most = max(self.most, len(coordinator.running))
    def trial_resumed(self, running): self.resumed += running.epoch > 0
    def trial_paused(self, running): ...
    def trial_progressed(self, running): pass
    def trial_ended(self, trial, record): assert record.status == "complete", record.failure
    def note(self, text): self.notes.append(text)
    def __init__(self): self.notes = []

folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
rng = np.random.RandomState(0)
labels = rng.randint(0, 2, 60)
images = rng.randint(0, 255, (60, 1, 28, 28)).astype(np.uint8)
data = Dataset("fashion_mnist", ("a", "b"), images[:40], labels[:40], images[40:], labels[40:], "made", Path("made"))
suite = load_suite(folder / "suite.yaml")

planned = trials(suite, lambda _: "made", lambda component: read_component(component, folder))
head = {"num_cpus": options.pop("head_cpus", 1), "num_gpus": 0, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = [cluster.add_node(**node) for node in options.pop("nodes")]
cluster.wait_for_nodes(timeout=300)

def lose():
    \"\"\"Take away the node whose trial has kept a state.\"\"\"
    while not list(folder.glob("results/checkpoints/*.pt")):
        time.sleep(0.1)
    at = json.loads(next(folder.glob("seen/*.json")).read_text())["raylet"]
    (lost,) = [node for node in nodes if at in [one.process.pid for one in node.all_processes["raylet"]]]
    cluster.remove_node(lost, allow_graceful=False)

if options.pop("lose", False):
    threading.Thread(target=lose, daemon=True).start()
tune.JOIN_SECONDS = options.pop("patience", 60)
connection = Connection(cluster.address, prepared=True)
options = RunOptions(device="cpu", checkpoint_after=0, connection=connection, **options)
quiet = Quiet()
coordinator = Coordinator(planned, Ledger(folder / "results"), options, quiet)
try:
    run_on_ray(coordinator, {planned[0].data: data}, options)
    ended = len(coordinator.ended)
    print(json.dumps({"most": quiet.most, "ended": ended, "resumed": quiet.resumed, "notes": quiet.notes}))
except UserError as error:
    print(json.dumps({"error": str(error)}))
finally:
    cluster.shutdown()
"""


def run(folder: Path, grid: str, wanted: int, **options: object) -> dict[str, object]:
    """What the driver found on a head with `head_cpus` CPUs (1) and the given `nodes`."""
    (folder / "seen").mkdir()
    (folder / "place.py").write_text(MODEL.replace("WANTED", str(wanted)).replace("FOLDER", str(folder)))
    (folder / "suite.yaml").write_text(f"name: placed\ngrid: {{model: 'place.py:net', {grid}}}\n")
    (folder / "driver.py").write_text(DRIVER)
    command = [sys.executable, str(folder / "driver.py"), str(folder), json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def seen(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "seen").glob("*.json"))]


GPU_NODES = [{"num_cpus": 2, "num_gpus": 1}, {"num_cpus": 2, "num_gpus": 1}]


@pytest.mark.parametrize(("gpus", "each", "places"), [(1, 0.25, 4), (2, 0.4, 4), (3, 1, 3), (8, 2, 4), (1, 0.1, 10)])
def test_a_share_of_a_gpu_lies_on_one(gpus: int, each: float, places: int) -> None:
    assert gpu_slots(gpus, each) == places


@pytest.mark.slow
def test_halves_of_gpus_are_filled_and_nodes_without_one_left_alone(tmp_path: Path) -> None:
    found = run(tmp_path, "batch_size: 20, epochs: 1, seeds: 5", 4, nodes=GPU_NODES, gpus_per_trial=0.5)
    assert (found["most"], found["ended"], found["notes"]) == (4, 5, [])
    places = seen(tmp_path)
    assert len(places) == 4  # processes: the fifth trial took over one of them
    assert sorted(len(place["gpus"]) for place in places) == [1] * 4  # type: ignore[arg-type]
    nodes = [place["raylet"] for place in places]
    assert sorted(nodes.count(node) for node in set(nodes)) == [2, 2]


@pytest.mark.slow
def test_jobs_is_the_most_that_run_side_by_side(tmp_path: Path) -> None:
    found = run(tmp_path, "batch_size: 20, epochs: 1, seeds: 3", 1, nodes=[], jobs=1, cpus_per_trial=0.25)
    assert (found["most"], found["ended"], found["notes"]) == (1, 3, [])
    assert [place["gpus"] for place in seen(tmp_path)] == [[]]


@pytest.mark.slow
def test_workers_that_no_cluster_of_these_nodes_holds_are_refused(tmp_path: Path) -> None:
    found = run(tmp_path, "batch_size: 20, epochs: 1, workers: 3", 1, nodes=GPU_NODES, gpus_per_trial=1, patience=0)
    assert found == {
        "error": "trials of 3 workers (each with CPUs: 1, GPUs: 1) can never run here: there is room for 2 at once\n"
        "  lower `workers` (--set workers=1), give each less (--cpus-per-trial, --gpus-per-trial), or add machines"
    }


@pytest.mark.slow
def test_a_trial_whose_node_is_lost_goes_on_at_another(tmp_path: Path) -> None:
    """Its checkpoint has travelled to the driver, whose own node takes no trials here."""
    nodes = [{"num_cpus": 1}, {"num_cpus": 1}]
    found = run(tmp_path, "epochs: 1000, batch_size: 4", 1, head_cpus=0, nodes=nodes, lose=True)
    assert (found["ended"], found["resumed"]) == (1, 1)
    (note,) = found["notes"]  # type: ignore[misc]
    assert "is started again (attempt 2 of 3): " in note
    assert len({place["raylet"] for place in seen(tmp_path)}) == 2
