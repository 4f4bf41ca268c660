from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.options import write
from bench.errors import UserError


def test_the_folder_is_made_and_the_file_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "page.html"
    write(path, "é")
    assert path.read_text(encoding="utf-8") == "é"
    assert capsys.readouterr().out == f"wrote {path}\n"


def test_a_place_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{tmp_path}: cannot be written: .*; choose another place with --out"):
        write(tmp_path, "text")
