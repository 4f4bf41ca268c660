"""The user's own code of a component, and of all components of a trial, as it was read for the trials' keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from bench.jsonutil import canonical


@dataclass(frozen=True)
class ComponentCode:
    """The user's own code of a component as it was read for its trials' keys: what any process runs, on any machine.

    `modules` maps dotted names to files, `module` is the factory's and `name` the component's. `files` holds what all
    of them contained, those that the component declares to read (`declared`) among them. `roots` are the
    folders that modules are imported from, `folder` is the suite file's, where relative paths in the code start. All
    paths are those of the machine where the key was made. `installed` code is imported where it is installed. A timm
    model has no modules, and declares the file of its weights.
    """

    name: str
    module: str
    folder: Path
    roots: tuple[Path, ...]
    modules: dict[str, Path]
    files: dict[Path, bytes] = field(repr=False)
    declared: tuple[Path, ...]
    installed: bool
    checksum: str
    """Of all of it, for the key."""
    axis: str = "model"

    @property
    def title(self) -> str:
        """For messages."""
        return f"{self.axis} {self.name!r}"

    @property
    def file(self) -> Path:
        """The factory's."""
        return self.modules[self.module]


@dataclass(frozen=True)
class UserCode:
    """The user's own code of all components of a trial; they run in one process and share its modules."""

    parts: tuple[ComponentCode, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        return tuple(part.axis for part in self.parts)

    @property
    def name(self) -> str:
        return ", ".join(dict.fromkeys(part.name for part in self.parts))

    @property
    def title(self) -> str:
        """For messages."""
        return ", ".join(part.title for part in self.parts)

    @property
    def checksum(self) -> str:
        """Of all of it, for the key; that of a model alone is its own."""
        if self.axes == ("model",):
            return self.parts[0].checksum
        named = [[part.axis, part.name, part.checksum] for part in self.parts]
        return hashlib.sha256(canonical(named).encode()).hexdigest()

    @property
    def identity(self) -> str:
        """What tells it from every other code of the same suite."""
        return f"{self.checksum} {self.name}"

    @property
    def folder(self) -> Path:
        return self.parts[0].folder

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(root for part in self.parts for root in part.roots))

    @property
    def files(self) -> dict[Path, bytes]:
        return {path: content for part in self.parts for path, content in part.files.items()}

    @property
    def declared(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(path for part in self.parts for path in part.declared))

    @property
    def modules(self) -> dict[str, Path]:
        return {name: path for part in self.parts for name, path in part.modules.items()}
