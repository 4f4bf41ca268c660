"""What the documentation's site has beyond docs/*.md: reference pages made from the commands, the Python interface and
the JSON Schema, and links to files of the repository, which no page is of, as plain names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import bench
from bench.cli import COMMANDS, load_command

REPOSITORY_LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, text in (
        ("reference/cli.md", cli_page()),
        ("reference/python.md", python_page()),
        ("reference/suite_keys.md", suite_page(Path(config.docs_dir) / "suite.schema.json")),
    ):
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links out of docs/ name a file of the repository."""
    if page.file.src_uri.startswith("reference/"):
        return markdown
    return REPOSITORY_LINK.sub(lambda match: f"{match[1]} (`{match[2]}` in the repository)", markdown)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """The theme takes one script of its search from elsewhere: the copy in assets/ takes its place."""
    root = "../" * page.file.dest_uri.count("/")
    return output.replace("https://unpkg.com/iframe-worker/shim", f"{root}assets/iframe-worker.js")


def cli_page() -> str:
    lines = ["# Command line", "", "`bench --help` and `bench COMMAND --help` print the same.", ""]
    for name in COMMANDS:
        command = load_command(name)
        if hasattr(command, "commands"):
            lines += [f"## `bench {name}`", "", command.help or "", ""]
            for part, subcommand in command.commands.items():
                lines += _command(f"bench {name} {part}", subcommand, "###")
        else:
            lines += _command(f"bench {name}", command, "##")
    return "\n".join(lines)


def _command(title: str, command: Any, heading: str) -> list[str]:
    rows = list(_parameters(command))
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    epilog = [command.epilog, ""] if command.epilog else []
    return [f"{heading} `{title}`", "", (command.help or "").split("\f")[0], "", *table, *epilog]


def _parameters(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or "--help" in parameter.opts:
            continue
        is_option = parameter.opts[0].startswith("-")
        name = ", ".join(parameter.opts) if is_option else parameter.metavar or parameter.name.upper()
        value = "" if getattr(parameter, "is_flag", False) or not is_option else f" {_value(parameter)}"
        variable = f" Also: `{parameter.envvar}`." if parameter.envvar else ""
        default = parameter.default
        shown = default not in (None, False, (), []) and not callable(default) and is_option
        text = f"{getattr(parameter, 'help', '') or ''}{f' Default: `{default}`.' if shown else ''}{variable}"
        yield f"| `{_cell(name + value)}` | {_cell(text)} |"


def _value(parameter: Any) -> str:
    """What an option takes: its metavar, the words it allows, or its type."""
    if parameter.metavar:
        return str(parameter.metavar)
    annotation = parameter.type_descriptor.annotation
    words = get_args(annotation) if get_origin(annotation) is Literal else ()
    return "|".join(words) or {int: "N", float: "NUMBER"}.get(annotation, "TEXT")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", " or ").replace("<", "&lt;")


def python_page() -> str:
    """What `import bench` gives, from its docstrings."""
    lines = ["# Python", "", "`import bench` gives these names; each is imported when it is first used.", ""]
    for name in sorted(bench.__all__):
        module = {**bench._MODULES, "report": "bench.interface"}.get(name)
        if module:
            lines += [f"::: {module}.{name}", ""]
    return "\n".join(lines)


def suite_page(schema_file: Path) -> str:
    """Every key of a suite file, from the JSON Schema that editors read."""
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    lines = [
        *(
            "# Suite keys",
            "",
            "From the JSON Schema, which `bench schema` prints for editors; [suites](../suites.md) explains",
        ),
        *("them with examples.", "", "## The file", "", *_keys(schema, definitions)),
        *("## Axes and settings, in `defaults` and `grid`", "", *_keys(definitions["block"], definitions)),
    ]
    for axis in (name.removesuffix("_component") for name in definitions if name.endswith("_component")):
        lines += [f"## `{axis}`", ""]
        for component in definitions[f"{axis}_component"].get("anyOf", []):
            if name := component.get("properties", {}).get("name", {}).get("const"):
                lines += [f"### `{name}`", "", component.get("description", ""), "", *_keys(component, definitions)]
    return "\n".join(lines)


def _keys(definition: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    keys = {
        name: value for name, value in definition.get("properties", {}).items() if name != "name" or "title" in value
    }
    rows = []
    for name, value in keys.items():
        plain = next((option for option in value.get("anyOf", []) if "default" in option or "type" in option), {})
        default = value.get("default", plain.get("default"))
        text = value.get("description") or plain.get("description", "")
        shown = f"`{json.dumps(default)}`" if "default" in value or "default" in plain else ""
        rows.append(f"| `{name}` | {_cell(_type(value, definitions))} | {shown} | {_cell(text)} |")
    return ["| key | value | default | |", "|---|---|---|---|", *rows, ""] if rows else []


def _type(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a key takes, in a few words."""
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in value["enum"])
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2].removesuffix("_component").replace("_", " ")
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(option, definitions) for option in value["anyOf"]))
    kind = value.get("type", "any")
    kind = f"list of {_type(value.get('items', {}), definitions)}" if kind == "array" else str(kind)
    bounds = [("above", "exclusiveMinimum"), ("from", "minimum"), ("below", "exclusiveMaximum"), ("to", "maximum")]
    return " ".join([kind, *(f"{word} {value[key]}" for word, key in bounds if key in value)])
