"""`ray up cluster.yaml`, with Ray's own provider against an EC2 server on this machine's loopback.

ssh and rsync are stand-ins that note what they are asked for: the machines that the server starts do not exist.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from bucket import start

from bench.jsonutil import JsonObject

ROOT = Path(__file__).parents[3]
IMAGE = "resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
STAND_IN = """#!{python}
import json, pathlib, shutil, sys
here = pathlib.Path({folder!r})
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with (here / "commands.jsonl").open("a") as file:
    file.write(json.dumps([name, *arguments]) + "\\n")
if name == "rsync":
    source, target = arguments[-2:]
    sent = here / "sent" / target.rpartition(":")[2].replace("~", "home").strip("/")
    sent.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, sent)
"""


@dataclass
class LaunchedCluster:
    """What `ray up` left: machines on the server, commands and files that went to the head."""

    folder: Path
    output: str

    def instances(self) -> dict[str, JsonObject]:
        """The machines that run, by their node types."""
        answer = boto3.client("ec2", "us-west-2").describe_instances()
        machines = [machine for group in answer["Reservations"] for machine in group["Instances"]]
        return {tags(machine)["ray-user-node-type"]: machine for machine in machines}

    def on_head(self) -> str:
        lines = (self.folder / "commands.jsonl").read_text().splitlines()
        return "\n".join(" ".join(json.loads(line)) for line in lines if json.loads(line)[0] == "ssh")

    def config(self) -> JsonObject:
        """The file as the head's autoscaler has it."""
        text = (self.folder / "sent" / "home" / "ray_bootstrap_config.yaml").read_text()
        config: JsonObject = yaml.safe_load(text)
        config["auth"]["ssh_private_key"] = str(self.folder / "sent" / "home" / "ray_bootstrap_key.pem")
        return config


def tags(machine: JsonObject) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in machine["Tags"]}


def volume_size(machine: JsonObject) -> int:
    (mapping,) = [item for item in machine["BlockDeviceMappings"] if item["DeviceName"] == "/dev/sda1"]
    ec2 = boto3.client("ec2", "us-west-2")
    size: int = ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"][0]["Size"]
    return size


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedCluster]:
    folder = tmp_path_factory.mktemp("aws")
    (folder / "bin").mkdir()
    for name in ("ssh", "rsync"):
        (folder / "bin" / name).write_text(STAND_IN.format(python=sys.executable, folder=str(folder)))
        (folder / "bin" / name).chmod(0o755)
    server = start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_DEFAULT_REGION": "us-west-2", "HOME": str(folder),
            "RAY_USAGE_STATS_ENABLED": "0", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        runpy.run_path(str(ROOT / "examples" / "aws_profile.py"))["main"]("results-of-ours")
        command = [
            sys.executable,
            "-P",
            "-m",
            "ray.scripts.scripts",
            "up",
            "--yes",
            "--no-config-cache",
            "cluster.yaml",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        yield LaunchedCluster(folder, done.stdout)
        server.stop()


def test_the_head_is_asked_for_with_its_image_disk_and_role(cluster: LaunchedCluster) -> None:
    head = cluster.instances()["head"]
    assert (head["ImageId"], head["InstanceType"]) == (IMAGE, "m5.large")
    assert head["IamInstanceProfile"]["Arn"].endswith(":instance-profile/bench")
    assert "InstanceLifecycle" not in head
    assert volume_size(head) == 200


def test_the_head_is_set_up_with_the_versions_of_constraints_txt(cluster: LaunchedCluster) -> None:
    sent = cluster.folder / "sent" / "home" / "bench-constraints.txt"
    assert sent.read_text() == (ROOT / "constraints.txt").read_text()
    assert cluster.config()["file_mounts"]["~/bench-constraints.txt"] == "~/bench-constraints.txt"
    commands = cluster.on_head()
    assert re.search(r"uv pip install --python \S+ -c \S*bench-constraints.txt .*ray\[default,train,tune\]", commands)
    assert "ray start --head --port=6379" in commands


@pytest.mark.parametrize(("node_type", "is_spot"), [("gpu-spot", True), ("gpu-on-demand", False)])
def test_the_heads_autoscaler_asks_for_workers(cluster: LaunchedCluster, node_type: str, is_spot: bool) -> None:
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
    from ray.autoscaler._private.aws.utils import resource_cache

    resource_cache.cache_clear()
    config = cluster.config()
    provider: Any = AWSNodeProvider(config["provider"], config["cluster_name"])
    worker_tags = {"ray-node-type": "worker", "ray-user-node-type": node_type, "ray-launch-config": "x"}
    provider.create_node(config["available_node_types"][node_type]["node_config"], worker_tags, 1)
    machine = cluster.instances()[node_type]
    assert (machine["ImageId"], machine["InstanceType"]) == (IMAGE, "g5.2xlarge")
    assert "IamInstanceProfile" not in machine  # it needs nothing of AWS
    assert (machine.get("InstanceLifecycle") == "spot") == is_spot
    assert volume_size(machine) == 200


def test_spot_machines_come_first_and_the_others_where_their_resource_is_asked_for(cluster: LaunchedCluster) -> None:
    from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
    from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
    from ray.autoscaler.v2.utils import ResourceRequestUtil

    config: Any = AutoscalingConfig(cluster.config(), skip_content_hash=True)
    scheduler: Any = ResourceDemandScheduler(None)

    def launched(*bundles: dict[str, float]) -> dict[str, int]:
        requests = ResourceRequestUtil.group_by_count([ResourceRequestUtil.make(bundle) for bundle in bundles])
        request = SchedulingRequest(
            node_type_configs=config.get_node_type_configs(), max_num_nodes=config.get_max_num_nodes(),
            resource_requests=requests, disable_launch_config_check=True,
        )  # fmt: skip
        reply = scheduler.schedule(request)
        return {item.instance_type: item.count for item in reply.to_launch if item.instance_type != "head"}

    assert launched(*[{"CPU": 1, "GPU": 1}] * 3) == {"gpu-spot": 3}
    assert launched({"on_demand": 1}) == {"gpu-on-demand": 1}


def test_the_heads_role_may_start_machines_and_use_the_bucket(cluster: LaunchedCluster) -> None:
    document = boto3.client("iam", "us-west-2").get_role_policy(RoleName="bench", PolicyName="bench")["PolicyDocument"]
    allowed = {(action, item["Resource"]) for item in document["Statement"] for action in item["Action"]}
    assert ("ec2:RunInstances", "*") in allowed
    assert ("ssm:GetParameters", "arn:aws:ssm:*::parameter/aws/service/*") in allowed  # for the image's name
    assert ("s3:PutObject", "arn:aws:s3:::results-of-ours/*") in allowed
