"""A folder of wheels for machines that have no package index: pip installs this environment's packages from it.

A wheel holds a distribution's metadata and a `.pth` file that leads to the files as they are installed here, so that
installing torch takes no longer than installing any other package, and makes torch importable and nothing else.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, requires
from pathlib import Path

from packaging.requirements import Requirement

WHEEL = "Wheel-Version: 1.0\nGenerator: bench-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheels(folder: Path, wanted: Iterable[str]) -> None:
    """Wheels of the wanted requirements and all that they require, and beside them links to what is installed here."""
    folder.mkdir()
    for found in closure(wanted):
        _write_wheel(folder, found)


def closure(wanted: Iterable[str]) -> list[Distribution]:
    """The installed distributions that some requirements ask for, and those that they ask for in turn."""
    found: dict[str, Distribution] = {}
    asked = [Requirement(text) for text in wanted]
    seen: set[tuple[str, str]] = set()
    while asked:
        requirement = asked.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        for extra in ["", *requirement.extras]:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            if name not in found:
                found[name] = distribution(name)
            for text in found[name].requires or []:
                one = Requirement(text)
                needed = one.marker is None or one.marker.evaluate({"extra": extra})
                if needed and (extra == "" or "extra" in str(one.marker)):
                    asked.append(one)
    return list(found.values())


def requirements_of(name: str) -> list[str]:
    """What an installed distribution requires without its extras."""
    found = [Requirement(text) for text in requires(name) or []]
    return [str(one) for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def _write_wheel(folder: Path, found: Distribution) -> None:
    name = re.sub(r"[-_.]+", "_", found.metadata["Name"])
    links = folder / "installed" / name
    links.mkdir(parents=True)
    for top in {file.parts[0] for file in found.files or [] if len(file.parts) > 1 or file.suffix in (".py", ".so")}:
        if top != ".." and not top.endswith((".dist-info", "__pycache__")):
            (links / top).symlink_to(Path(str(found.locate_file(top))))
    info = f"{name}-{found.version}.dist-info"
    members = {f"{name}_installed.pth": f"{links}\n", f"{info}/WHEEL": WHEEL}
    for file in ("METADATA", "entry_points.txt", "top_level.txt"):
        if text := found.read_text(file):
            members[f"{info}/{file}"] = text
    members[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{found.version}-py3-none-any.whl", "w") as wheel:
        for member, text in members.items():
            wheel.writestr(member, text)
