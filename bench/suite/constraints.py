"""What cannot stand together in one configuration."""

from __future__ import annotations

from typing import Any

from bench.components import AXES, COMBINABLE
from bench.errors import plural

LEAST = 2
"""Images of a batch for each worker: batch normalisation has no variance of one value."""


def constraint_violation(configuration: dict[str, Any]) -> tuple[str, str] | None:
    """The key to blame and what cannot stand together in one configuration, in words; None when all is well."""
    for axis in COMBINABLE:
        names = [entry["name"] for entry in configuration[axis]]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            return axis, f"the combination names {axis} {twice!r} twice"
    regularizers = {entry["name"]: entry for entry in configuration["regularizer"]}
    model = configuration["model"]
    if "dropout" in regularizers and (model.get("dropout") or model.get("drop_rate")):
        return "regularizer", "dropout is set by the model and by the regularizer; keep one of the two"
    if "stochastic_depth" in regularizers and (model.get("drop_path") or model.get("drop_path_rate")):
        return "regularizer", "stochastic depth is set by the model and by the regularizer; keep one of the two"
    for name, parameter in (("dropout", "dropout"), ("stochastic_depth", "drop_path")):
        if name in regularizers and model["name"] in AXES["model"] and parameter not in model:
            able = [known for known, entry in AXES["model"].items() if parameter in entry.model_fields]
            return "regularizer", (
                f"{name} sets the model's parameter `{parameter}`, and {model['name']} has none; "
                f"leave it out for this model, or take {', '.join(able)}, a timm model or your own"
            )
    doubled = [name for name in ("l1", "l2") if "elastic_net" in regularizers and name in regularizers]
    if doubled:
        return "regularizer", f"elastic_net has an {doubled[0]} of its own; set that, and leave out {doubled[0]}"
    if "weight_decay" in regularizers and configuration["optimizer"].get("weight_decay"):
        return "regularizer", "weight decay is set by the optimizer and by the regularizer; keep one of the two"
    for name in [name for name, entry in regularizers.items() if "layers" in entry]:
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
    if workers > 1 and batch_size < LEAST * workers:
        return "workers", (
            f"a batch of {batch_size} leaves each of {workers} workers less than {LEAST} images; "
            f"take at most {batch_size // LEAST} workers, or a `batch_size` of at least {LEAST * workers}"
        )
    if configuration["validation"] == "none":
        for key, bad in (("early_stopping", None), ("weights", "last"), ("refit", False)):
            if configuration[key] != bad:
                return key, f"`{key}` needs validation images, and `validation: none` leaves none"
        if configuration["schedule"]["name"] == "plateau":
            return "schedule", "schedule 'plateau' needs validation images, and `validation: none` leaves none"
        late = next((entry["name"] for entry in configuration["augmentation"] if entry.get("validation_too")), None)
        if late:
            return "augmentation", (
                f"{late} with `validation_too: true` needs validation images, and `validation: none` leaves none"
            )
    return None
