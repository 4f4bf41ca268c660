"""What the documents point to is there, and what they show can be used as it stands."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.__main__ import main
from bench.cli import COMMANDS
from bench.published import find
from bench.suite.suite import load_suite
from bench.user_code.read_code import read

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
ELSEWHERE = ("http://", "https://", "mailto:", "#")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(page: Path, language: str) -> list[str]:
    """The page's code blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def suites(page: Path) -> list[str]:
    """The page's blocks that are whole suite files."""
    return [
        text for text in fenced(page, "yaml") if re.search("^name:", text, re.M) and re.search("^grid:", text, re.M)
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_to_a_file(document: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if not link.startswith(ELSEWHERE)]
    targets = {link: (document.parent / link.partition("#")[0]).resolve() for link in links}
    assert [link for link, path in targets.items() if not (path.exists() and path.is_relative_to(ROOT))] == []


@pytest.mark.parametrize("page", ["README.md", "docs/suites.md", "docs/models.md", "docs/tutorial.md"])
def test_a_suite_that_is_shown_loads(page: str, tmp_path: Path) -> None:
    shown = suites(ROOT / page)
    assert shown
    for text in fenced(ROOT / page, "python"):
        name = text.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(text, encoding="utf-8")
    for text in shown:
        file = tmp_path / "shown.yaml"
        file.write_text(text, encoding="utf-8")
        suite = load_suite(file)
        assert suite.configurations
        assert len(find(suite.references)) >= len(suite.references)
        for model in {config["model"]["name"] for config, _ in suite.configurations}:
            assert (read({"name": model}, tmp_path) is not None) == (":" in model)


def test_the_count_of_the_suite_that_is_explained_is_right(tmp_path: Path) -> None:
    page = ROOT / "docs" / "suites.md"
    file = tmp_path / "first.yaml"
    file.write_text(suites(page)[0], encoding="utf-8")
    suite = load_suite(file)
    trials = sum(len(seeds) for _, seeds in suite.configurations)
    assert f": {len(suite.configurations)} configurations, {trials} trials." in page.read_text(encoding="utf-8")


def test_the_reference_of_the_site_has_every_option_key_and_name() -> None:
    pytest.importorskip("mkdocs")
    spec = spec_from_file_location("hooks", ROOT / "docs/hooks.py")
    assert spec and spec.loader
    hooks = module_from_spec(spec)
    spec.loader.exec_module(hooks)
    commands, keys = hooks.cli_page(), hooks.suite_page(ROOT / "docs/suite.schema.json")
    assert all(f"## `bench {name}`" in commands for name in COMMANDS)
    assert "`--only AXIS=VALUE`" in commands and "Also: `BENCH_RESULTS`." in commands
    assert "### `resnet9`" in keys and "| `early_stopping` |" in keys
    assert all(f".{name}\n" in hooks.python_page() for name in set(bench.__all__) - {"__version__"})


def test_every_step_of_the_tutorial_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On few images and for an epoch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_RESULTS", raising=False)
    random, labels = np.random.default_rng(0), np.arange(300) % 2
    images = (random.random((300, 8, 8)) * 120 + labels[:, None, None] * 40).astype(np.uint8)
    parts = {"train_images": images[:200], "train_labels": labels[:200]}
    np.savez("clothes.npz", **parts, test_images=images[200:], test_labels=labels[200:])
    printed = ""
    page = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        first = text.splitlines()[0]
        if language == "yaml":
            few = text.replace("fashion_mnist", "{name: npz, path: clothes.npz}").replace("epochs: 4", "epochs: 1")
            Path(f"{first.removeprefix('name: ')}.yaml").write_text(few.replace("seeds: 5", "seeds: 2"))
        elif language == "python":
            Path(first.removeprefix("# ")).write_text(text)
        else:
            for line in text.splitlines():
                words = shlex.split(line)
                monkeypatch.setattr(sys, "argv", [*words, *(["--no-ray"] if words[1] == "run" else [])])
                with pytest.raises(SystemExit) as end:
                    main()
                out, err = capsys.readouterr()
                # So few images may show that a network is worse (1), or nothing (3).
                assert end.value.code in ((0, 1, 3) if words[1] == "compare" else (0, None)), (line, out, err)
                printed += out
    assert "4 configurations, 8 trials" in printed
    # The wide network without dropout is in both suites, and was trained once.
    assert "10 of 10 entries without a problem" in printed
    assert Path("reports/lab.html").is_file() and Path("site/suites/own/index.html").is_file()
