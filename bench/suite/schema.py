"""The suite file's own keys: settings, pruning and the top level, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from bench.components import AXES
from bench.components.base import Fraction, NotNegative, Positive, StrictModel
from bench.metrics import METRICS

VALUE_AXES = {"batch_size": 128, "epochs": 10}
"""Axes that are plain positive integers, with their defaults."""

AXIS_ORDER = (*AXES, *VALUE_AXES)
AXIS_DEFAULTS: dict[str, Any] = {
    "dataset": "fashion_mnist",
    "preprocessing": "unit",
    "optimizer": "adam",
    "schedule": "constant",
    "loss": "cross_entropy",
    "step": "standard",
    "regularizer": "none",
    "augmentation": "none",
    **VALUE_AXES,
}
"""What stands where a sub-grid names no entry; `model` has no default."""

SWEEPS = ("grid", "log_uniform", "uniform", "choice")
"""The one key of a mapping that stands for several values of a parameter."""


class Tail(StrictModel):
    """The last fraction of the training set, as Keras's `validation_split` takes it."""

    tail: Fraction


class Stratified(StrictModel):
    """The same fraction of every class, drawn once and for all."""

    stratified: Fraction = 0.1


class EarlyStoppingRule(StrictModel):
    """Stop after `patience` epochs in which the monitored figure did not improve by more than `min_delta`."""

    patience: Positive
    monitor: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    min_delta: NotNegative = 0.0


def validation_fraction(validation: Tail | Stratified | Literal["none"]) -> float:
    """The fraction of the training images that are held out."""
    if isinstance(validation, Tail):
        return validation.tail
    return 0.0 if validation == "none" else validation.stratified


Seed = Annotated[int, Field(ge=0, lt=2**63)]


Workers = Annotated[int, Field(gt=0, le=1024)]


class WorkersRule(StrictModel):
    """How many workers train the configurations that a partial match fits."""

    match: dict[str, Any] = Field(min_length=1, examples=[{"model": "vgg"}])
    workers: Workers


class WorkersByRule(StrictModel):
    """The first rule that fits a configuration says how many workers train it."""

    default: Workers = Field(1, description="Where no rule fits.")
    rules: list[WorkersRule] = Field(min_length=1, max_length=50)


LATER: dict[str, Any] = {"ema": None, "test_time": "none", "step": {"name": "standard"}}
"""Axes and settings that a configuration names only where they differ from these, so that older keys stay the same."""


class Settings(StrictModel):
    """The protocol of a sub-grid: what is not compared, but says what a figure means."""

    validation: Tail | Stratified | Literal["none"] = Field(
        Stratified(),
        description="Which training images choose between configurations; the test set never does.",
        examples=[{"stratified": 0.1}, {"tail": 0.2}, "none"],
    )
    early_stopping: EarlyStoppingRule | None = Field(
        None, description="Leave it out to train every epoch.", examples=[{"patience": 5}]
    )
    weights: Literal["last", "best"] = Field("last", description="Test the last epoch's weights, or the best's.")
    refit: bool = Field(False, description="Train again on all training images for the chosen number of epochs.")
    ema: Fraction | None = Field(
        None,
        description="Validate and test a running average of the weights, which keeps this share of itself each step.",
        examples=[0.999],
    )
    test_time: Literal["none", "flip"] = Field(
        "none", description="flip: average the logits of each image and of its mirror image; said in every report."
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    workers: Workers | WorkersByRule = Field(
        1,
        description="Processes that train one trial together, each its share of every batch.",
        examples=[2, {"rules": [{"match": {"model": "vgg"}, "workers": 2}]}],
    )
    deterministic: bool = Field(False, description="Ask for deterministic kernels; on a CPU they always are.")

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = plain(self)
        return {key: value for key, value in found.items() if key not in LATER or value != LATER[key]}


def _unique_seeds(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{seeds} names a seed twice")
    return seeds


Seeds = Annotated[
    list[Seed], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_unique_seeds)
]


class Sampling(StrictModel):
    """How a sub-grid is repeated."""

    seeds: Positive | Seeds = Field(
        1, description="How many seeds (0, 1, ...), or a list of them.", examples=[3, [0, 1, 2]]
    )
    samples: Positive | None = Field(None, description="Draws from the distributions in this sub-grid.", examples=[20])


class Pruning(StrictModel):
    """ASHA (Li et al. 2020, arXiv 1810.05934) over configurations, each group by itself."""

    method: Literal["asha"] = "asha"
    grace_period: Positive = Field(1, description="Epochs that every configuration may train.")
    reduction_factor: Annotated[int, Field(ge=2)] = Field(3, description="One in this many goes on at each rung.")
    group: list[Literal[tuple(AXIS_ORDER)]] = Field(  # type: ignore[valid-type]
        ["model"], description="Configurations that differ in these axes are never pruned against each other."
    )
    brackets: Positive = Field(
        1,
        description="As Hyperband: this many sorts of configurations, each judged by itself, and "
        "first `reduction_factor` times as late as the sort before.",
    )

    @model_serializer(mode="wrap")
    def _rule(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A single bracket is not named, so that what was pruned before there were several is still done."""
        rule: dict[str, Any] = plain(self)
        return rule if self.brackets > 1 else {key: value for key, value in rule.items() if key != "brackets"}


BLOCK_KEYS = (*AXIS_ORDER, *Settings.model_fields, *Sampling.model_fields)
"""What a sub-grid, and `defaults`, may hold."""


class SuiteReference(StrictModel):
    """A published result with the configuration that repeats it."""

    id: str = Field(description="Of the published result; `bench list published`.")
    match: dict[str, Any] | None = Field(
        None,
        description="The configuration that repeats it, by a partial match that fits no other.",
        min_length=1,
        examples=[{"model": {"name": "mlp"}, "regularizer": "none"}],
    )
    chosen: bool = Field(
        False, description="A search: `match` may fit several, and the one that validation chooses stands for them."
    )
    note: str = Field("", description="Why ours differs, or why it is not run.")


def _unique_names(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError(f"{', '.join(names)} names a metric twice")
    return names


class SuiteFile(BaseModel):
    """The top level of a suite file; `defaults` and `grid` are expanded by bench.suite.expand."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    title: str = ""
    description: str = ""
    references: list[str | SuiteReference] = Field(
        [],
        description="Published results to show beside: ids (`bench list published`) or mappings (`bench published`).",
        examples=[["lab-e-baseline", {"id": "lab-e-l2", "match": {"regularizer": "l2"}}]],
    )
    metrics: Annotated[list[Literal[tuple(METRICS)]], AfterValidator(_unique_names)] = Field(  # type: ignore[valid-type]
        ["accuracy"],
        description="What the leaderboard shows of the test part.",
        min_length=1,
        json_schema_extra={"uniqueItems": True},
    )
    rank_by: Literal[tuple(METRICS)] = Field(  # type: ignore[valid-type]
        "accuracy", description="What ranks: validation's value of it chooses, the test part's is sorted by."
    )
    defaults: dict[str, Any] = Field(
        {}, description="What every sub-grid shares.", examples=[{"dataset": "fashion_mnist", "epochs": 10}]
    )
    grid: dict[str, Any] | list[dict[str, Any]] = Field(
        description="The axes, or a list of sub-grids, each with its own.", examples=[{"model": "mlp"}]
    )
    exclude: list[dict[str, Any]] = Field(
        [], description="Configurations left out, each by a partial match.", examples=[[{"model": "mlp"}]]
    )
    pruning: Pruning | None = Field(None, examples=["none", "asha", {"grace_period": 3, "reduction_factor": 3}])
    sampling_seed: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(gt=0, le=1_000_000)] = Field(10_000, description="More trials than this are a mistake.")
