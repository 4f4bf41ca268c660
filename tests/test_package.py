"""What the package is called for pip, and the files at its front door: one name and one version everywhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

import bench
from bench.cli import load_command

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TEXT = (".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".sh", ".ipynb", "")


def tracked_texts() -> dict[str, str]:
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    paths = [ROOT / name for name in names if Path(name).suffix in TEXT and name != "tests/test_package.py"]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths if path.is_file()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_no_command_installs_the_other_bench() -> None:
    wrong = re.compile(
        r"(pip3? install|uvx|pipx \w+|uv add)\s+(-\S+\s+)*['\"]?bench([\s'\"\[=<>~]|$)|\bbench\[[a-z0-9,]+\]"
    )
    assert {name: found[0] for name, text in tracked_texts().items() if (found := wrong.search(text))} == {}


def test_two_commands_are_one_program() -> None:
    assert PROJECT["project"]["name"] == "benchgrid"
    scripts = PROJECT["project"]["scripts"]
    assert set(scripts) == {"bench", "benchgrid"} and len(set(scripts.values())) == 1
    installed = entry_points(group="console_scripts")
    assert {entry.name for entry in installed if entry.value == scripts["bench"]} >= {"bench", "benchgrid"}


def test_the_version_stands_once_and_is_repeated_where_it_must_be() -> None:
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "bench/__init__.py"
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == bench.__version__
    sections = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert bench.__version__ in sections


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_an_issue_form_asks_in_the_way_of_github(form: Path) -> None:
    content = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(content)
    assert all(
        {"label"} <= set(field["attributes"]) and field["type"] in ("textarea", "input") for field in content["body"]
    )
    assert len({field["id"] for field in content["body"]}) == len(content["body"])


def test_the_image_copies_what_is_there_and_has_both_targets() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--)(.*)$", text, re.M) for name in line.split()[:-1]]
    assert copied and [name for name in copied if not (ROOT / name).exists()] == []
    assert {"cpu", "cuda"} <= set(re.findall(r"^FROM \S+ AS (\w+)$", text, re.M))


def test_the_workflow_of_submissions_runs_no_code_of_the_submitter_and_uses_options_that_exist() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/submission.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in workflow["jobs"]["verify"]
    assert True in workflow and "pull_request_target" not in workflow[True], "`on`, which YAML reads as true"
    checkouts = [step["with"] for step in workflow["jobs"]["verify"]["steps"] if "checkout" in step.get("uses", "")]
    theirs = next(step for step in checkouts if step["path"] == "theirs")
    assert theirs["persist-credentials"] is False
    text = "\n".join(step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"])
    lines = re.findall(r"^bench (?:verify|publish) .*?(?= \||$)", text, re.M)
    assert len(lines) == 3 and "--no-user-code" in lines[0] and "--from" not in text
    for line in lines:
        words = shlex.split(line.replace('"${against[@]}"', "--against ledger"))
        load_command(words[1]).make_context(words[1], words[2:])  # raises for an option that there is not
