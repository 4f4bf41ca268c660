"""Debian's package, by an apt-get and a dpkg-deb that this test puts on the PATH."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.data import DatasetInfo
from bench.data.dataset import load_info
from bench.errors import UserError

Put = Callable[[Path, dict[str, bytes]], Path]

APT = """#!/bin/sh
# Knows the package once `update` has filled lists of the user's own, or where KNOWN is set.
for word; do case "$word" in Dir::State::Lists=*) lists=${word#*=};; esac; done
for word; do last2=$last; last=$word; done
if [ "$last" = update ]; then touch "$lists/index"; echo "E: a broken source" >&2; exit 100; fi
if [ "$last2 $last" = "download dataset-clothes" ] && { [ -n "$KNOWN" ] || [ -e "$lists/index" ]; }; then
    touch dataset-clothes_1_all.deb; exit 0
fi
echo "E: Unable to locate package $last" >&2; exit 100
"""

DPKG = """#!/bin/sh
[ "$1" = -x ] && [ -e "$2" ] && mkdir -p "$3/usr/share/datasets" && cp -R "$PACKAGE" "$3/usr/share/datasets/clothes"
"""


@pytest.fixture
def debian(bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the package unpacks as usr/share/datasets/clothes."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in {"apt-get": APT, "dpkg-deb": DPKG}.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("PACKAGE", str(tmp_path / "package"))
    monkeypatch.setenv("KNOWN", "yes")
    return tmp_path / "package"


@pytest.fixture
def packaged(info: DatasetInfo) -> DatasetInfo:
    return replace(info, debian_package="dataset-clothes")


def test_the_package_is_unpacked_into_the_user_cache(
    packaged: DatasetInfo, packed: dict[str, bytes], put: Put, debian: Path, bare_machine: Path
) -> None:
    put(debian, packed)
    assert load_info(packaged).source == bare_machine / "clothes"
    assert [path.name for path in bare_machine.iterdir()] == ["clothes"]


def test_without_package_lists_it_fetches_its_own_though_a_source_may_be_broken(
    packaged: DatasetInfo, packed: dict[str, bytes], put: Put, debian: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(debian, packed)
    monkeypatch.delenv("KNOWN")
    said: list[str] = []
    load_info(packaged, notify=said.append)
    assert any(
        "Unable to locate package dataset-clothes; trying again with fresh package lists" in line for line in said
    )


def test_a_package_with_other_bytes_is_refused(
    packaged: DatasetInfo, other: tuple[DatasetInfo, dict[str, bytes]], put: Put, debian: Path, bare_machine: Path
) -> None:
    put(debian, other[1])
    with pytest.raises(UserError, match=r"Debian package: the package is not as expected: \S+train-images"):
        load_info(packaged)
    assert list(bare_machine.iterdir()) == []


@pytest.mark.usefixtures("debian")
def test_what_apt_says_is_passed_on(packaged: DatasetInfo) -> None:
    unknown = replace(packaged, debian_package="dataset-hats")
    with pytest.raises(UserError, match=r"`apt-get download` failed: E: Unable to locate package dataset-hats"):
        load_info(unknown)


@pytest.mark.usefixtures("bare_machine")
def test_a_machine_without_apt_is_told_so(
    packaged: DatasetInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"Debian package: apt-get is not on this machine"):
        load_info(packaged)
