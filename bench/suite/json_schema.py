"""The JSON Schema of suite files, for editors that complete and check while one writes."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from bench.components import AXES, COMBINABLE, EXTENSIBLE_AXES
from bench.components.base import Component
from bench.components.user_defined import USER_DEFINED
from bench.jsonutil import JsonObject
from bench.suite.schema import AXIS_ORDER, COUNT_AXES, SWEEPS, VALUE_AXES, Sampling, Settings, SuiteFile


def json_schema() -> JsonObject:
    """JSON Schema (draft 2020-12) of a suite file, from the same models that check it.

    Every parameter of a component may also be a sweep; an axis is a component or a list of components.
    """
    definitions: JsonObject = {
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
    block: JsonObject = {}
    for axis in AXES:
        block[axis] = _axis_schema(axis, sweeps, definitions)
    for axis in VALUE_AXES:
        value_sweeps = [{"$ref": f"#/$defs/{sweep}"} for sweep in ("grid", "choice")]
        bounds = {"type": "integer"} if axis in COUNT_AXES else {"type": "number", "maximum": 1}
        number = {"anyOf": [{**bounds, "exclusiveMinimum": 0}, *value_sweeps]}
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
    keys["pruning"]["anyOf"].append({"enum": ["none", "asha", "halving"]})
    keys["metrics"]["items"] = {"anyOf": [keys["metrics"]["items"], USER_NAME]}
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **top, "title": "bench suite", "$defs": definitions}


def _axis_schema(axis: str, sweeps: list[Any], definitions: JsonObject) -> JsonObject:
    """The schema of an axis, a component or a list of them; what it refers to is added to `definitions`."""
    components = AXES[axis]
    complete = [name for name, component in components.items() if _is_complete(component)]
    names: JsonObject = {"enum": [*complete, *(["none"] if axis in COMBINABLE else [])]}
    options: list[Any] = [{"type": "string"} if axis in EXTENSIBLE_AXES else {"anyOf": [names, USER_NAME]}]
    for name, component in components.items():
        schema = component.model_json_schema()
        properties = {
            key: {"anyOf": [value, *sweeps]} if key != "name" else {"const": name}
            for key, value in schema["properties"].items()
        }
        options.append({**schema, "properties": properties, "required": ["name", *schema.get("required", [])]})
    if axis in EXTENSIBLE_AXES:
        options.append(
            {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
                "not": {"properties": {"name": {"enum": list(components)}}},
                "description": "A name of the library's, with its parameters.",
            }
        )
    options.append(_user_defined_schema(axis, sweeps))
    definitions[f"{axis}_component"] = {"anyOf": options}
    value: JsonObject = {"$ref": f"#/$defs/{axis}_component"}
    if axis in COMBINABLE:
        combine = {
            "type": "object",
            "properties": {"combine": {"type": "array", "items": value, "minItems": 1}},
            "required": ["combine"],
            "additionalProperties": False,
        }
        definitions[axis] = {"anyOf": [value, combine]}
        value = {"$ref": f"#/$defs/{axis}"}
    return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]}


USER_NAME = {
    "type": "string",
    "pattern": ":",
    "description": "Your own code: path/to/file.py:factory or package.module:factory.",
}


def _user_defined_schema(axis: str, sweeps: list[Any]) -> JsonObject:
    """The schema of a mapping that names the user's own code, with any parameters."""
    schema = USER_DEFINED[axis].model_json_schema()
    properties = {
        key: {"anyOf": [value, *sweeps]} for key, value in schema["properties"].items() if key not in ("name", "files")
    }
    files = {"type": "array", "items": {"type": "string"}, "description": "Files that the code reads."}
    return {
        "type": "object",
        "properties": {"name": USER_NAME, "files": files, **properties},
        "required": ["name"],
        "description": "Your own code with its parameters.",
    }


def _is_complete(component: type[Component]) -> bool:
    """Whether the name alone is enough; some components need a parameter."""
    try:
        component.model_validate({})
    except ValidationError:
        return False
    return True
