"""examples/rayjob.yaml against KubeRay's schema, and against the image that it names."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bench.jsonutil import JsonObject

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "tests" / "made" / "rayjob_schema.json.gz"


def closed(schema: Any) -> Any:
    """The schema with no other fields than it names, as `kubectl apply` has it: it refuses unknown ones."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: closed(value) for name, value in schema.items()}
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not is_open:
        result["additionalProperties"] = False
    return result


@pytest.fixture(scope="module")
def job() -> JsonObject:
    document: JsonObject = yaml.safe_load((ROOT / "examples" / "rayjob.yaml").read_text())
    return document


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    schema = closed(json.loads(gzip.decompress(SCHEMA.read_bytes())))
    schema["properties"]["metadata"] = {"type": "object"}  # Kubernetes' own
    return jsonschema.Draft7Validator(schema)


def test_the_job_is_one_of_kuberay(job: JsonObject, validator: jsonschema.Draft7Validator) -> None:
    assert [error.message for error in validator.iter_errors(job)] == []
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0, "replica"), 4),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0, "template", "spec", "toleration"), []),
        (("spec", "backoffLimit"), "two"),
    ],
)
def test_a_mistake_would_be_seen(
    job: JsonObject, validator: jsonschema.Draft7Validator, path: tuple[Any, ...], value: object
) -> None:
    changed = json.loads(json.dumps(job))
    node = changed
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    assert list(validator.iter_errors(changed))


def test_job_image_and_constraints_have_the_same_ray(job: JsonObject) -> None:
    (version,) = re.findall(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == version
    assert f"\nFROM rayproject/ray:{version}-py311\n" in (ROOT / "examples" / "Dockerfile").read_text()


def test_the_run_finds_all_its_gpus_when_it_starts(job: JsonObject) -> None:
    (group,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"]
    assert "--gpus-per-trial 1 " in job["spec"]["entrypoint"]
    (container,) = group["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
