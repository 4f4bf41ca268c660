"""What cannot stand together in one configuration."""

from __future__ import annotations

from typing import Any

from bench.suite.components import COMBINABLE


def conflict(configuration: dict[str, Any]) -> tuple[str, str] | None:
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
    if "weight_decay" in regularizers and configuration["optimizer"].get("weight_decay"):
        return "regularizer", "weight decay is set by the optimizer and by the regularizer; keep one of the two"
    for name in [name for name in regularizers if name in ("l1", "l2")]:
        layers = regularizers[name]["layers"]
        if model["name"] == "mlp" and (layers == "conv" or (layers == "hidden" and not model["hidden"])):
            kind = "convolutions" if layers == "conv" else "hidden layers"
            return "regularizer", (
                f"{name} with `layers: {layers}` regularises nothing: this mlp has no {kind}; "
                "take other layers (`layers: all` is every kernel) or leave it out for this model"
            )
    if configuration["validation"] == "none":
        for key, bad in (("early_stopping", None), ("weights", "last"), ("refit", False)):
            if configuration[key] != bad:
                return key, f"`{key}` needs validation pictures, and `validation: none` leaves none"
    return None
