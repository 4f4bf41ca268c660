"""Is a suite file right? Plain data against pydantic models, in people's words, and what no model alone can tell."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from bench.components import AXES, COMBINABLE, DatasetComponent, component_class
from bench.components.arguments import how_to_write
from bench.errors import SYNONYMS, Problem, flow, nearest, plural, shorten
from bench.jsonutil import JsonObject
from bench.suite.schema import BLOCK_KEYS, SWEEPS, SuiteFile
from bench.suite.yaml_loader import KeyPath, YamlDocument, path_text

MIN_IMAGES_PER_WORKER = 2
"""Images of a batch for each worker: batch normalisation has no variance of one value."""


def constraint_violation(configuration: JsonObject) -> tuple[str, str] | None:
    """The key and the message for values that exclude each other; None where there are none."""
    for axis in COMBINABLE:
        names = [component["name"] for component in configuration[axis]]
        duplicate = next((name for name in names if names.count(name) > 1), None)
        if duplicate:
            return axis, f"the combination names {axis} {duplicate!r} twice"
    regularizers = {component["name"]: component for component in configuration["regularizer"]}
    model = configuration["model"]
    if "dropout" in regularizers and (model.get("dropout") or model.get("drop_rate")):
        return "regularizer", "dropout is set by the model and by the regularizer; keep one of the two"
    if "stochastic_depth" in regularizers and (model.get("drop_path") or model.get("drop_path_rate")):
        return "regularizer", "stochastic depth is set by the model and by the regularizer; keep one of the two"
    for name, parameter in (("dropout", "dropout"), ("stochastic_depth", "drop_path")):
        if name in regularizers and model["name"] in AXES["model"] and parameter not in model:
            supporting = [other for other, component in AXES["model"].items() if parameter in component.model_fields]
            return "regularizer", (
                f"{name} sets the model's parameter `{parameter}`, and {model['name']} has none; "
                f"leave it out for this model, or take {', '.join(supporting)}, a timm model or your own"
            )
    duplicates = [name for name in ("l1", "l2") if "elastic_net" in regularizers and name in regularizers]
    if duplicates:
        return "regularizer", f"elastic_net has an {duplicates[0]} of its own; set that, and leave out {duplicates[0]}"
    if "weight_decay" in regularizers and configuration["optimizer"].get("weight_decay"):
        return "regularizer", "weight decay is set by the optimizer and by the regularizer; keep one of the two"
    for name in [name for name, component in regularizers.items() if "layers" in component]:
        layers = regularizers[name]["layers"]
        if model["name"] == "mlp" and (layers == "conv" or (layers == "hidden" and not model["hidden"])):
            kind = "convolutions" if layers == "conv" else "hidden layers"
            return "regularizer", (
                f"{name} with `layers: {layers}` regularises nothing: this mlp has no {kind}; "
                "take other layers (`layers: all` is every kernel) or leave it out for this model"
            )
    warmup, epochs = configuration["schedule"]["warmup"], configuration["epochs"]
    if warmup > epochs:
        return "schedule", (
            f"a warmup of {warmup:g} epochs never ends in a training of {plural(epochs, 'epoch')}; "
            "lower `warmup`, or raise `epochs`"
        )
    workers, batch_size = configuration["workers"], configuration["batch_size"]
    if batch_size == 1 and model["name"] == "mlp" and model["batch_norm"] != "none":
        return "batch_size", (
            "batch normalisation has no variance of one image; take a `batch_size` of at least 2, or `batch_norm: none`"
        )
    if workers > 1 and batch_size < MIN_IMAGES_PER_WORKER * workers:
        return "workers", (
            f"a batch of {batch_size} leaves each of {workers} workers less than {MIN_IMAGES_PER_WORKER} images; "
            f"take at most {batch_size // MIN_IMAGES_PER_WORKER} workers, "
            f"or a `batch_size` of at least {MIN_IMAGES_PER_WORKER * workers}"
        )
    if configuration["validation"] == "given":
        dataset = component_class("dataset", configuration["dataset"]["name"])
        if dataset is not None and issubclass(dataset, DatasetComponent) and not dataset.given_validation:
            return "validation", dataset.no_given_part(configuration["dataset"]["name"])
    if configuration["validation"] == "none":
        for key, allowed_value in (("early_stopping", None), ("weights", "last"), ("refit", False)):
            if configuration[key] != allowed_value:
                return key, f"`{key}` needs validation images, and `validation: none` leaves none"
        if configuration["schedule"]["name"] == "plateau":
            return "schedule", "schedule 'plateau' needs validation images, and `validation: none` leaves none"
        augmentation = next(
            (component["name"] for component in configuration["augmentation"] if component.get("validation_too")), None
        )
        if augmentation:
            return "augmentation", (
                f"{augmentation} with `validation_too: true` needs validation images; `validation: none` leaves none"
            )
    return None


_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_PLAIN = {"int_type": int, "int_from_float": int, "float_type": float, "bool_type": bool}

MAX_ADVISED = 100
"""Mistakes in one mapping that come with advice."""


def check(
    model: type[BaseModel], data: Any, document: YamlDocument, path: KeyPath, subject: str
) -> BaseModel | list[Problem]:
    """Validate data that stands at `path`; the model's object, or every problem found."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return _problems(error, model, data, document, path, subject)


def _problems(
    error: ValidationError, model: type[BaseModel], data: Any, document: YamlDocument, path: KeyPath, subject: str
) -> list[Problem]:
    problems: dict[tuple[KeyPath, str], tuple[int, Problem]] = {}
    unions: set[KeyPath] = set()
    for detail in error.errors(include_url=False):
        missing = str(detail["loc"][-1]) if detail["type"] == "missing" else ""
        loc, value, in_union = _location(detail["loc"][:-1] if missing else detail["loc"], data)
        if in_union:
            unions.add(loc[:1])
        message, hint = _message(detail, value, model, loc, subject, len(problems) < MAX_ADVISED)
        # A union complains once per branch, and the branches that were not meant complain of the type or of a key.
        rank = 0
        if in_union and (detail["type"] == "extra_forbidden" or missing):
            rank = 1
        elif in_union and len(loc) == 1 and detail["type"] in (*_TYPES, "literal_error"):
            rank = 2
        problem_key = (loc, missing)
        if problem_key not in problems or rank < problems[problem_key][0]:
            full = (*path, *loc)
            problems[problem_key] = (rank, Problem(path_text(full), message, document.line(full), hint))
    best: dict[KeyPath, int] = {}
    for (loc, _), (rank, _) in problems.items():
        best[loc[:1]] = min(rank, best.get(loc[:1], rank))
    parents = {loc[:length] for loc, _ in problems for length in range(len(loc))}
    return [
        problem
        for (loc, _), (rank, problem) in problems.items()
        if loc[:1] not in unions or (rank == best[loc[:1]] and not (rank and loc in parents))
    ]


def _location(parts: KeyPath, data: Any) -> tuple[KeyPath, Any, bool]:
    """The part of pydantic's location that is in the data, what stands there, and whether branches were left out."""
    loc: KeyPath = ()
    in_union = False
    for part in parts:
        inside: Any = data if isinstance(data, dict | list) else {}
        try:
            data = inside[part]
        except (KeyError, IndexError, TypeError):
            in_union = True
        else:
            loc = (*loc, part)
    return loc, data, in_union


def _message(
    detail: Any, value: Any, model: type[BaseModel], loc: KeyPath, subject: str, with_advice: bool
) -> tuple[str, str]:
    """What is wrong, and, where `with_advice`, what may be meant: to look for it takes its time."""
    context = detail.get("ctx", {})
    text = shorten(value)
    field = model.model_fields.get(str(loc[0])) if len(loc) == 1 else None
    match detail["type"]:
        case "extra_forbidden":
            key = str(loc[-1])
            if model is SuiteFile and len(loc) == 1:
                return f"unknown key {key!r} of a suite", unknown_key_hint(key, top=True) if with_advice else ""
            owner = f"`{loc[-2]}`" if len(loc) > 1 else subject
            allowed = _allowed(model, loc[:-1])
            if key in allowed:  # of another branch of the same union
                return f"{' and '.join(f'`{name}`' for name in allowed)} exclude each other", "keep one of them"
            return f"unknown key {key!r} of {owner}", _names_hint(key, allowed) if with_advice else ""
        case "missing":
            return f"{f'`{loc[-1]}`' if loc else subject} lacks `{detail['loc'][-1]}`", ""
        case "literal_error" if not (field and field.examples):
            names = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            return f"{text} is not allowed here", _names_hint(value, names) if with_advice else ""
        case kind if kind in _BOUNDS:
            key, word = _BOUNDS[kind]
            bound = context[key]
            return f"{text} is out of range: it must be {word} {bound:{'g' if isinstance(bound, float) else ','}}", ""
        case "finite_number":
            return f"{text} must be a finite number", ""
        case "too_short":
            minimum = context["min_length"]
            return f"{text} is too short: it must have at least {_items(minimum)}", _example(field)
        case "too_long":
            return f"{text} is too long: it may have {_items(context['max_length'])}", _example(field)
        case "string_too_short":
            return "an empty text is not allowed here", _example(field)
        case "string_pattern_mismatch":
            return f"{text} is not a name", "up to 64 letters, digits, '-', '_' and '.', and a letter or digit first"
        case "value_error":
            return str(context["error"]), ""
        case kind:
            requirement = f": it must be {_TYPES[kind]}" if kind in _TYPES and not (field and field.examples) else ""
            hint = _sweep_hint(value, model, loc) or _example(field)
            if not hint and kind == "string_type" and isinstance(value, int | float):
                hint = f"put it in quotes: '{text}'"
            if not hint and kind in _PLAIN:
                hint = how_to_write(value, _PLAIN[kind])
            return f"{text} is not allowed here{requirement}", hint


COMMAND_LINE = {
    **dict.fromkeys(
        ("device", "devices", "gpu", "gpus", "cuda", "use_cuda", "num_gpus", "accelerator"),
        "trials train on the GPUs that are there, and on CPUs with `bench run --gpus-per-trial 0`",
    ),
    **dict.fromkeys(("threads", "num_threads", "cpus", "num_cpus"), "`bench run --cpus-per-trial N`"),
    **dict.fromkeys(("jobs", "n_jobs", "parallel"), "`bench run --jobs N`"),
    **dict.fromkeys(("results", "output", "output_dir", "out_dir", "save_dir", "log_dir"), "`bench run --results DIR`"),
    **dict.fromkeys(("data_dir", "data_path", "data_root", "root"), "`bench run --data-dir DIR`"),
    "cluster": "`bench run --cluster FILE`",
}
"""Keys of other tools' files for what belongs on the command line, and the option to use."""


def unknown_key_hint(key: str, top: bool) -> str:
    """What an unknown key at the top level, or in a sub-grid, was probably meant to be and where it belongs."""
    allowed = tuple(SuiteFile.model_fields) if top else BLOCK_KEYS
    elsewhere = BLOCK_KEYS if top else tuple(SuiteFile.model_fields)
    belongs = "it belongs under `grid` or `defaults`" if top else "it belongs at the top level of the file"
    lines = []
    parameter = parameter_meant(key)
    if key in elsewhere:
        lines.append(belongs)
    elif key in COMMAND_LINE:
        lines.append(f"this is an option of the command, not part of a suite: {COMMAND_LINE[key]}")
    elif owners := [axis for axis, components in AXES.items() if key in components]:
        lines.append(f"{key!r} is a component of the axis `{owners[0]}`: write `{owners[0]}: {key}` under `grid`")
    elif parameter not in allowed and (axes := axes_with(parameter)):
        lines.append(
            f"{parameter!r} is a parameter: write it inside its {axes[0]}, {axes[0]}: {{name: ..., {parameter}: ...}}"
        )
    else:
        near = nearest(key, [*allowed, *elsewhere])
        lines.append(near)
        if near and not any(f"'{name}'" in near for name in allowed):
            lines.append(belongs)
    return "\n".join([*filter(None, lines), f"allowed: {', '.join(allowed)}"])


def parameter_meant(key: str) -> str:
    """A parameter that another tool calls by this name; the name itself where there is none."""
    return next((name for name in SYNONYMS.get(key.lower(), "").split() if axes_with(name)), key)


def axes_with(parameter: str) -> list[str]:
    """The axes that have an entry with this parameter."""
    return [
        axis
        for axis, components in AXES.items()
        if any(parameter in component.model_fields for component in components.values())
    ]


def _names_hint(value: object, names: list[str]) -> str:
    return "\n".join(part for part in (nearest(value, names), f"allowed: {', '.join(names)}") if part)


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _example(field: FieldInfo | None) -> str:
    """How to write a field's value: its examples, else a default that is a list."""
    if field is None:
        return ""
    examples = field.examples or ([field.default] if isinstance(field.default, list) and field.default else [])
    forms = " or ".join(flow(example) for example in examples)
    leave = ", or leave it out" if field.default is None else ""
    return f"write it like {forms}{leave}" if examples else ""


def _sweep_hint(value: Any, model: type[BaseModel], loc: KeyPath) -> str:
    """A list or a misspelt sweep stands where a parameter takes one value."""
    if "name" not in model.model_fields or model is SuiteFile or len(loc) != 1:
        return ""
    several = "for several values write"
    if isinstance(value, dict):
        near = nearest(next(iter(value), ""), SWEEPS)
        forms = ", ".join(f"{{{sweep}: [...]}}" for sweep in SWEEPS)
        return "\n".join(filter(None, [near, f"{several} one of {forms}"]))
    takes_list = isinstance(model.model_fields[str(loc[0])].default, list)
    return f"{several} {{grid: {flow(value)}}}" if isinstance(value, list) and value and not takes_list else ""


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
