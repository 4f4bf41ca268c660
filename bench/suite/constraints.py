"""Which values of a configuration exclude each other?"""

from __future__ import annotations

from typing import Any

from bench.components import AXES, COMBINABLE
from bench.errors import plural

MIN_IMAGES_PER_WORKER = 2
"""Images of a batch for each worker: batch normalisation has no variance of one value."""


def constraint_violation(configuration: dict[str, Any]) -> tuple[str, str] | None:
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
