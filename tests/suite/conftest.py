"""How the tests of this folder write a suite file and read what is said about it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.suite.suite import Suite, load_suite

Load = Callable[..., Suite]
Complain = Callable[..., str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write the text to suite.yaml and load it, with `only`, `cli_overrides` and `seeds` as `load_suite` has them."""

    def load(text: str, **options: object) -> Suite:
        path = tmp_path / "suite.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load_suite(path, **options)  # type: ignore[arg-type]

    return load


@pytest.fixture
def complaint(tmp_path: Path, load: Load) -> Complain:
    """What is said about a wrong suite file, with its folder left out."""

    def complaint(text: str, **options: object) -> str:
        with pytest.raises(UserError) as caught:
            load(text, **options)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return complaint
