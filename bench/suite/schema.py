"""The suite file's own keys: settings, pruning and the top level, as pydantic models; and their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bench.suite.components import AXES, COMBINABLE, OPEN, Entry, Fraction, NotNegative, Positive
from bench.suite.document import Document, KeyPath, path_text
from bench.suite.errors import Problem, nearest

VALUE_AXES = {"batch_size": 128, "epochs": 10}
"""Axes that are plain positive integers, with their defaults."""

AXIS_ORDER = (*AXES, *VALUE_AXES)
AXIS_DEFAULTS: dict[str, Any] = {
    "dataset": "fashion_mnist",
    "preprocessing": "unit",
    "optimizer": "adam",
    "schedule": "constant",
    "loss": "cross_entropy",
    "regularizer": "none",
    "augmentation": "none",
    **VALUE_AXES,
}
"""What stands where a sub-grid names no entry; `model` has no default."""

SWEEPS = ("grid", "log_uniform", "uniform", "choice")
"""The one key of a mapping that stands for several values of a parameter."""


class Tail(Entry):
    """The last fraction of the training set, as Keras's `validation_split` takes it."""

    tail: Fraction


class Stratified(Entry):
    """The same fraction of every class, drawn once and for all."""

    stratified: Fraction = 0.1


class EarlyStopping(Entry):
    """Stop after `patience` epochs in which the monitored figure did not improve by more than `min_delta`."""

    patience: Positive
    monitor: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    min_delta: NotNegative = 0.0


class Settings(Entry):
    """The protocol of a sub-grid: what is not compared, but says what a figure means."""

    validation: Tail | Stratified | Literal["none"] = Field(
        Stratified(), description="Which training pictures choose between configurations; the test set never does."
    )
    early_stopping: EarlyStopping | None = None
    weights: Literal["last", "best"] = Field("last", description="Test the last epoch's weights, or the best's.")
    refit: bool = Field(False, description="Train again on all training pictures for the chosen number of epochs.")
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    workers: Literal[1] = Field(1, description="Processes that train one trial together; only 1 so far.")
    deterministic: bool = Field(False, description="Ask for deterministic kernels; on a CPU they always are.")


class Sampling(Entry):
    """How a sub-grid is repeated."""

    seeds: Positive | list[Annotated[int, Field(ge=0)]] = Field(
        1, description="How many seeds (0, 1, ...), or a list of them."
    )
    samples: Positive | None = Field(None, description="Draws from the distributions in this sub-grid.")


class Pruning(Entry):
    """ASHA (Li et al. 2020, arXiv 1810.05934) over configurations, each group by itself."""

    method: Literal["asha"] = "asha"
    grace: Positive = Field(1, description="Epochs that every configuration may train.")
    reduction: Annotated[int, Field(ge=2)] = Field(3, description="One in this many goes on at each rung.")
    group: list[Literal[tuple(AXIS_ORDER)]] = Field(  # type: ignore[valid-type]
        ["model"], description="Configurations that differ in these axes are never pruned against each other."
    )


class SuiteFile(BaseModel):
    """The top level of a suite file; `defaults` and `grid` are expanded by bench.suite.expand."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    title: str = ""
    description: str = ""
    references: list[str] = Field([], description="Ids of published results to show beside; `bench list published`.")
    defaults: dict[str, Any] = {}
    grid: dict[str, Any] | list[dict[str, Any]]
    exclude: list[dict[str, Any]] = Field([], description="Configurations left out, each by a partial match.")
    pruning: Pruning | None = None
    sampling_seed: Annotated[int, Field(ge=0)] = 0
    limit: Positive = Field(10_000, description="More trials than this are a mistake.")


def check(model: type[BaseModel], data: Any, document: Document, path: KeyPath, what: str) -> BaseModel | list[Problem]:
    """Validate data that stands at `path`; the model's object, or the problems in people's words."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return _problems(error, model, data, document, path, what)


def _problems(
    error: ValidationError, model: type[BaseModel], data: Any, document: Document, path: KeyPath, what: str
) -> list[Problem]:
    problems: dict[KeyPath, Problem] = {}
    for detail in error.errors(include_url=False):
        # pydantic names the branches of a union in `loc`; only keys and indices that are in the data are places.
        loc: KeyPath = ()
        here = data
        for part in detail["loc"]:
            if isinstance(here, dict) and part in here:
                loc, here = (*loc, part), here[part]
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                loc, here = (*loc, part), here[part]
        if detail["type"] == "missing" and not (isinstance(here, dict) and detail["loc"][-1] in model.model_fields):
            continue  # a missing key of a union branch that was not meant
        place = (*path, *loc)
        message, hint = _message(detail, here, model, loc, what)
        if place not in problems:
            problems[place] = Problem(path_text(place), message, document.line(place), hint)
    # A union complains once per branch; what lies deeper says more than what encloses it.
    problems = {p: v for p, v in problems.items() if not any(p != q and q[: len(p)] == p for q in problems)}
    if not problems:
        problems[path] = Problem(path_text(path), f"{data!r} is not a {what}", document.line(path))
    return list(problems.values())


def _message(detail: Any, found: Any, model: type[BaseModel], loc: KeyPath, what: str) -> tuple[str, str]:
    context = detail.get("ctx", {})
    shown = _short(found)
    match detail["type"]:
        case "extra_forbidden":
            allowed = _allowed(model, loc[:-1])
            key = str(loc[-1])
            return f"unknown key {key!r} of {what}", "\n".join(
                part for part in (nearest(key, allowed), f"allowed: {', '.join(allowed)}") if part
            )
        case "missing":
            return f"{what} lacks {detail['loc'][-1]!r}", ""
        case "literal_error":
            names = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            hint = "\n".join(part for part in (nearest(found, names), f"allowed: {', '.join(names)}") if part)
            return f"{shown} is not allowed here", hint
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            words = {
                "greater_than": ("gt", "above"),
                "greater_than_equal": ("ge", "at least"),
                "less_than": ("lt", "below"),
                "less_than_equal": ("le", "at most"),
            }
            key, word = words[detail["type"]]
            return f"{shown} is out of range: it must be {word} {context[key]:g}", ""
        case "too_short" | "too_long":
            return f"{shown} has {context['actual_length']} entries", detail["msg"].lower().split(",")[0]
        case "string_pattern_mismatch":
            return f"{shown} is not a name", "letters, digits, '-', '_' and '.', at most 64"
        case "value_error":
            return str(context["error"]), ""
        case kind:
            wanted = {
                "int_type": "a whole number",
                "float_type": "a number",
                "bool_type": "true or false",
                "string_type": "text",
                "list_type": "a list",
                "dict_type": "a mapping",
                "model_type": "a mapping",
                "model_attributes_type": "a mapping",
                "none_required": "empty",
            }.get(kind)
            return (f"{shown} is of the wrong type: it must be {wanted}" if wanted else detail["msg"]), ""


def _allowed(model: type[BaseModel], loc: KeyPath) -> list[str]:
    """Keys allowed at a place inside a model, following sub-models (unions give all branches')."""
    fields = model.model_fields
    for part in loc:
        if not isinstance(part, str) or part not in fields:
            continue
        annotation = fields[part].annotation
        branches = [a for a in (annotation, *getattr(annotation, "__args__", ())) if isinstance(a, type)]
        inner = [a for a in branches if issubclass(a, BaseModel)]
        fields = {name: f for branch in inner for name, f in branch.model_fields.items()}
    return [name for name in fields if name != "name" or model is SuiteFile]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
        options: list[Any] = [{"enum": [*entries, *(["none"] if axis in COMBINABLE else [])]}]
        for name, entry in entries.items():
            schema = entry.model_json_schema()
            properties = {
                key: {"anyOf": [value, *sweeps]} if key != "name" else {"const": name}
                for key, value in schema["properties"].items()
            }
            options.append({**schema, "properties": properties, "required": ["name"]})
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
        one = {"type": "integer", "exclusiveMinimum": 0}
        block[axis] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}, *sweeps]}
    for settings in (Settings, Sampling):
        schema = settings.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.get("$defs", {}))
        block.update(schema["properties"])
    definitions["block"] = {"type": "object", "properties": block, "additionalProperties": False}
    top = SuiteFile.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(top.pop("$defs", {}))
    reference = {"$ref": "#/$defs/block"}
    top["properties"]["defaults"] = reference
    top["properties"]["grid"] = {"anyOf": [reference, {"type": "array", "items": reference, "minItems": 1}]}
    pruning = top["properties"]["pruning"]
    pruning["anyOf"].append({"enum": ["none", "asha"]})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "bench suite", **top, "$defs": definitions}
