"""Launcher files: the one that comes with bench, others, and mistakes in them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from bench.errors import UserError
from bench.execution.cluster.launcher import read_launcher, variables

ROOT = Path(__file__).parents[3]
OWN_MACHINES = """
cluster_name: three
provider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2, 10.0.0.3]}
auth: {ssh_user: me, ssh_private_key: ~/.ssh/id_ed25519}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cluster.yaml"


def needed_packages() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {Requirement(text).name for text in project["dependencies"]}


def test_the_file_that_comes_with_bench_is_valid_to_ray_and_has_spot_gpus_that_come_and_go() -> None:
    launcher = read_launcher(ROOT / "cluster.yaml")
    assert (launcher.name, launcher.provider, launcher.gpus, launcher.autoscaling) == ("bench", "aws", True, True)
    gpu = yaml.safe_load((ROOT / "cluster.yaml").read_text())["available_node_types"]["gpu-spot"]
    assert gpu["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert (gpu["min_workers"], gpu["resources"]["GPU"]) == (0, 1)


@pytest.mark.parametrize(
    ("name", "more"), [("cluster.yaml", "s3fs"), ("examples/gcp.yaml", "gcsfs"), ("examples/own_machines.yaml", "s3fs")]
)
def test_nodes_get_every_package_that_bench_needs_at_the_versions_of_constraints_txt(name: str, more: str) -> None:
    document = yaml.safe_load((ROOT / name).read_text())
    installed = " ".join(document["setup_commands"])
    assert needed_packages() | {more} <= set(re.findall(r"[\w.-]+", installed))
    assert f"-c {next(iter(document['file_mounts']))} " in installed
    assert list(document["file_mounts"].values()) == ["constraints.txt"]


def test_the_file_for_google_cloud_has_gpus_that_come_and_go() -> None:
    launcher = read_launcher(ROOT / "examples/gcp.yaml")
    assert (launcher.provider, launcher.gpus, launcher.autoscaling) == ("gcp", True, True)
    document = yaml.safe_load((ROOT / "examples/gcp.yaml").read_text())
    types = document["available_node_types"]
    assert types["gpu-spot"]["node_config"]["scheduling"]["provisioningModel"] == "SPOT"
    assert "provisioningModel" not in types["gpu-on-demand"]["node_config"]["scheduling"]
    for node_type in types.values():
        (disk,) = node_type["node_config"]["disks"]
        assert disk["initializeParams"]["diskSizeGb"] == 200
    assert "google-api-python-client" in " ".join(document["head_setup_commands"])


def test_the_file_for_machines_of_ones_own_names_the_heads_address() -> None:
    file = ROOT / "examples/own_machines.yaml"
    launcher = read_launcher(file)
    assert (launcher.provider, launcher.settings.python) == ("local", "~/bench-env/bin/python")
    document = yaml.safe_load(file.read_text())
    # A host without a default route would take 127.0.0.1 for its address, which no worker can reach.
    address = f"--node-ip-address={document['provider']['head_ip']} "
    assert any(address in command for command in document["head_start_ray_commands"])


def test_its_dashboard_and_job_server_listen_on_the_head_only() -> None:
    commands = yaml.safe_load((ROOT / "cluster.yaml").read_text())["head_start_ray_commands"]
    assert any("--dashboard-host=127.0.0.1" in command for command in commands)


def test_settings_have_defaults_and_stand_under_metadata(file: Path) -> None:
    file.write_text(OWN_MACHINES)
    assert read_launcher(file).settings.folder == "~/bench"
    file.write_text(OWN_MACHINES + "metadata: {bench: {folder: /scratch/bench, env: {A: b}}, of_others: 1}\n")
    settings = read_launcher(file).settings
    assert (settings.folder, settings.env, settings.python) == ("/scratch/bench", {"A": "b"}, "python3")


@pytest.mark.parametrize(
    "entry",
    ["WANDB_API_KEY: 4f1c2a", "AWS_SECRET_ACCESS_KEY: wJalrXUt", "HF_TOKEN: hf_abc", "DB_PASSWORD: '123456'",
     "PIP_INDEX_URL: https://me:pw@pypi.example.org/simple", "GIT: https://ghp_abc@github.com/x",
     "DB_PASS: hunter22", "AWS_SECRET_ACCESS_KEY: /wJalrXUt", "GH_TOKENS: ghp_abc"],
)  # fmt: skip
def test_a_secret_does_not_belong_into_the_file_which_ray_copies_to_where_all_can_read_it(
    file: Path, entry: str
) -> None:
    file.write_text(f"{OWN_MACHINES}metadata:\n  bench:\n    env:\n      {entry}\n")
    name, _, secret = entry.partition(": ")
    with pytest.raises(UserError) as error:
        read_launcher(file)
    assert f"metadata.bench.env: {name} looks like a secret" in str(error.value)
    assert f"write `{name}: null`" in str(error.value)
    assert secret.strip("'") not in str(error.value)


@pytest.mark.parametrize(
    "entry",
    ["BENCH_DATA: /mnt/data", "TOKENIZERS_PARALLELISM: 'false'", "MAX_TOKENS: '512'", "AWS_PROFILE: work",
     "REGISTRY_TOKEN_FILE: /run/token",
     "GOOGLE_APPLICATION_CREDENTIALS: /etc/key.json", "AWS_ENDPOINT_URL: http://10.0.0.1:9000", "RAY_AUTH_MODE: token"],
)  # fmt: skip
def test_what_is_no_secret_may_stand_in_the_file(file: Path, entry: str) -> None:
    file.write_text(f"{OWN_MACHINES}metadata:\n  bench:\n    env:\n      {entry}\n")
    name, _, text = entry.partition(": ")
    assert variables(read_launcher(file)) == {name: text.strip("'")}


def test_a_variable_without_a_value_is_taken_from_the_shell(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(OWN_MACHINES + "metadata: {bench: {env: {HF_TOKEN: null, A: b}}}\n")
    launcher = read_launcher(file)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(UserError, match="has not set: HF_TOKEN"):
        variables(launcher)
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    assert variables(launcher) == {"HF_TOKEN": "hf_abc", "A": "b"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("metadata: {bench: {pythn: x}}", "metadata.bench.pythn: unknown; known are python, folder"),
        ("metadata: {bench: {pythn: x}}", "did you mean 'python'?"),
        (
            "metadata: {bench: {fallback: on_demand}}",
            "fallback: no node type but the head's has the resource 'on_demand'",
        ),
        ("metadata: {bench: {folder: '~/a b'}}", "metadata.bench.folder"),
        ("metadata: {bench: {folder: ~/x/../..}}", "metadata.bench.folder"),
        ("metadata: {bench: 3}", "expected `bench` with settings below it"),
        ("bench: {python: x}", "Ray refuses it: Additional properties are not allowed ('bench' was unexpected)"),
        ("max_workers: many", "Ray refuses it"),
    ],
)
def test_a_mistake_is_told_with_its_place(file: Path, more: str, told: str) -> None:
    file.write_text(OWN_MACHINES + more + "\n")
    with pytest.raises(UserError) as error:
        read_launcher(file)
    assert told in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("text", ["a: [", "- a", "cluster_name: x", "provider: {type: local}\ncluster_name: x"])
def test_what_is_no_launcher_file_is_told(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError, match=re.escape(str(file))):
        read_launcher(file)


def test_a_file_that_is_missing_is_told(file: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_launcher(file)
