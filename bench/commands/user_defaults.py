"""`bench.toml` in the current folder: defaults of options, for all commands or for one.

An option on the command line comes first, then its environment variable, then the table of the command, then the top
of the file, then the option's own default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from bench.errors import UserError, nearest, shorten
from bench.jsonutil import JsonObject

FILE = Path("bench.toml")
COMMON = ("results", "data-dir", "jobs", "cpus-per-trial", "gpus-per-trial", "keep", "no-user-code", "log", "seeds")
"""Options that may stand at the top of the file, for every command that has them."""


def default_map(name: str, command: Any, commands: Collection[str]) -> JsonObject:
    """The defaults of a command's parameters, or of a group's commands, as Click's `default_map` has them.

    UserError where the file is no TOML, or names a command or an option that there is not.
    """
    content = _read()
    for key, value in content.items():
        if isinstance(value, dict) and key not in commands:
            raise UserError(
                f"{FILE}: [{key}]: there is no such command; {nearest(key, commands) or 'see bench --help'}"
            )
        if not isinstance(value, dict) and key not in COMMON:
            hint = nearest(key, COMMON) or f"allowed at the top are {', '.join(COMMON)}"
            raise UserError(f"{FILE}: {key}: {hint}\n  the options of one command stand below [COMMAND], such as [run]")
    common = {key: value for key, value in content.items() if not isinstance(value, dict)}
    table = content.get(name, {})
    if hasattr(command, "commands"):
        return {part: _values(common, {}, subcommand, name) for part, subcommand in command.commands.items()}
    return _values(common, table, command, name)


def _read() -> JsonObject:
    try:
        return tomllib.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # not TOML, or not UTF-8
        raise UserError(f"{FILE}: cannot be read as TOML: {error}") from error


def _values(common: JsonObject, table: JsonObject, command: Any, name: str) -> JsonObject:
    parameters = dict(_options(command))
    for key in table:
        if key not in parameters:
            hint = nearest(key, parameters) or f"bench {name} --help lists its options"
            raise UserError(f"{FILE}: [{name}] {key}: there is no such option; {hint}")
    values = {key: value for key, value in {**common, **table}.items() if key in parameters}
    return {parameters[key].name: _checked(key, value, parameters[key]) for key, value in values.items()}


def _options(command: Any) -> Iterator[tuple[str, Any]]:
    """The options of a command by their name without dashes."""
    for parameter in command.params:
        for text in parameter.opts:
            if text.startswith("--") and text != "--help":
                yield text.removeprefix("--"), parameter


def _checked(key: str, value: Any, parameter: Any) -> Any:
    """The value where an option takes one of its kind: true or false, a list, or text and numbers, which it reads."""
    allowed: type | tuple[type, ...] = (str, int, float)
    if parameter.is_flag:
        allowed, kind = bool, "true or false"
    elif parameter.multiple:
        allowed, kind = list, 'a list, such as ["model=mlp"]'
    else:
        kind = "text or a number"
    if not isinstance(value, allowed) or (isinstance(value, bool) and not parameter.is_flag):
        raise UserError(f"{FILE}: {key} = {shorten(value)}: this option takes {kind}")
    return value
