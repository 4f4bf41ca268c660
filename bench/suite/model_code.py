"""What a model has of the user's own, as plain data that a trial takes along."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ModelCode:
    """The user's own code of a model as it was read for its trials' keys: what any process runs, on any machine.

    `modules` maps dotted names to files, `module` is the factory's and `name` the model's in the suite file. `files`
    holds what all of them contained, those that a model declares to read (`declared`) among them. `roots` are the
    folders that modules are imported from, `folder` is the suite file's, where relative paths in the code start. All
    paths are those of the machine where the key was made. An `installed` model is imported where it is installed. A
    timm model has no modules, and declares the file of its weights.
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

    @property
    def file(self) -> Path:
        """The factory's."""
        return self.modules[self.module]

    @property
    def identity(self) -> str:
        """What tells it from every other code of the same suite."""
        return f"{self.checksum} {self.name}"
