"""The JSON Schema of suite files, for editors that complete and check while one writes."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from bench.components import AXES, COMBINABLE, OPEN
from bench.components.base import Component
from bench.suite.schema import AXIS_ORDER, SWEEPS, VALUE_AXES, Sampling, Settings, SuiteFile


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a suite file, from the same models that check it.

    Every parameter of an entry may also be a sweep, every axis one entry or a list of them.
    """
    definitions: dict[str, Any] = {
        "grid": {
            "type": "object",
            "properties": {"grid": {"type": "array", "minItems": 1}},
            "required": ["grid"],
            "additionalProperties": False,
        },
        "choice": {
            "type": "object",
            "properties": {"choice": {"type": "array", "minItems": 1}},
            "required": ["choice"],
            "additionalProperties": False,
        },
    }
    for sweep in ("log_uniform", "uniform"):
        definitions[sweep] = {
            "type": "object",
            "properties": {
                sweep: {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            },
            "required": [sweep],
            "additionalProperties": False,
        }
    sweeps = [{"$ref": f"#/$defs/{sweep}"} for sweep in SWEEPS]
    block: dict[str, Any] = {}
    for axis, entries in AXES.items():
        complete = [name for name, entry in entries.items() if _is_complete(entry)]
        options: list[Any] = [{"enum": [*complete, *(["none"] if axis in COMBINABLE else [])]}]
        for name, entry in entries.items():
            schema = entry.model_json_schema()
            properties = {
                key: {"anyOf": [value, *sweeps]} if key != "name" else {"const": name}
                for key, value in schema["properties"].items()
            }
            options.append({**schema, "properties": properties, "required": ["name", *schema.get("required", [])]})
        if axis in OPEN:
            options[0] = {"type": "string"}
            known = {"properties": {"name": {"enum": list(entries)}}}
            options.append(
                {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                    "not": known,
                    "description": "A name of the library's or of your own code, with its parameters.",
                }
            )
        definitions[f"{axis}_entry"] = {"anyOf": options}
        one = {"$ref": f"#/$defs/{axis}_entry"}
        if axis in COMBINABLE:
            combine = {
                "type": "object",
                "properties": {"combine": {"type": "array", "items": one, "minItems": 1}},
                "required": ["combine"],
                "additionalProperties": False,
            }
            definitions[axis] = {"anyOf": [one, combine]}
            one = {"$ref": f"#/$defs/{axis}"}
        block[axis] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    for axis in VALUE_AXES:
        whole = [{"$ref": f"#/$defs/{sweep}"} for sweep in ("grid", "choice")]
        number = {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, *whole]}
        block[axis] = {"anyOf": [number, {"type": "array", "items": number, "minItems": 1}]}
    for settings in (Settings, Sampling):
        schema = settings.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.get("$defs", {}))
        block.update(schema["properties"])
    definitions["block"] = {"type": "object", "properties": block, "additionalProperties": False}
    top = SuiteFile.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(top.pop("$defs", {}))
    reference = {"$ref": "#/$defs/block"}
    keys = top["properties"]
    keys["defaults"] = {**reference, "description": keys["defaults"]["description"]}
    blocks = {"anyOf": [reference, {"type": "array", "items": reference, "minItems": 1}]}
    keys["grid"] = {**blocks, "description": keys["grid"]["description"]}
    pattern = {"propertyNames": {"enum": [*AXIS_ORDER, *Settings.model_fields]}, "minProperties": 1}
    keys["exclude"]["items"] = {"type": "object", **pattern}
    definitions["SuiteReference"]["properties"]["match"]["anyOf"][0] |= pattern
    definitions["WorkersRule"]["properties"]["match"] |= pattern
    keys["pruning"]["anyOf"].append({"enum": ["none", "asha"]})
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **top, "title": "bench suite", "$defs": definitions}


def _is_complete(entry: type[Component]) -> bool:
    """Whether the name alone is an entry; some need a parameter."""
    try:
        entry()
    except ValidationError:
        return False
    return True
