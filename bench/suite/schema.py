"""The suite file's own keys: settings, pruning and the top level, as pydantic models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)

from bench.components import AXES, is_user_defined
from bench.components.base import Fraction, NotNegative, Positive, StrictModel
from bench.components.data_questions import CORRUPTIONS
from bench.jsonutil import JsonObject
from bench.metrics import METRICS

VALUE_AXES: dict[str, int | float] = {"batch_size": 128, "epochs": 10, "fraction": 1.0}
"""Axes that are plain numbers, with their defaults: positive integers, or a fraction in (0, 1]."""

COUNT_AXES = tuple(axis for axis, default in VALUE_AXES.items() if isinstance(default, int))

AXIS_ORDER = (*AXES, *VALUE_AXES)
DATA_QUESTIONS = ("imbalance", "label_noise", "fraction")
"""Axes that change what is trained on: the same network on fewer images, a long tail of them, wrong labels."""

AXIS_DEFAULTS: JsonObject = {
    "dataset": "fashion_mnist",
    "preprocessing": "unit",
    "optimizer": "adam",
    "schedule": "constant",
    "loss": "cross_entropy",
    "step": "standard",
    "regularizer": "none",
    "augmentation": "none",
    "imbalance": "none",
    "label_noise": "none",
    **VALUE_AXES,
}
"""What an axis is where a sub-grid does not name it; `model` has no default."""

SWEEPS = ("grid", "log_uniform", "uniform", "choice")
"""The one key of a mapping that stands for several values of a parameter."""


class Tail(StrictModel):
    """The last fraction of the training set, as Keras's `validation_split` takes it."""

    tail: Fraction


class Stratified(StrictModel):
    """The same fraction of every class, drawn once and for all."""

    stratified: Fraction = 0.1


class EarlyStoppingRule(StrictModel):
    """Stop after `patience` epochs in which the monitored metric did not improve by more than `min_delta`."""

    patience: Positive
    monitor: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    min_delta: NotNegative = 0.0


Validation = Tail | Stratified | Literal["given", "none"]
"""Which images are for validation; ``"given"`` is the part that comes with the data set."""


def validation_fraction(validation: Validation) -> float:
    """The fraction of the training images that are held out."""
    if isinstance(validation, Tail):
        return validation.tail
    return validation.stratified if isinstance(validation, Stratified) else 0.0


Seed = Annotated[int, Field(ge=0, lt=2**63)]


Workers = Annotated[int, Field(gt=0, le=1024)]


class WorkersRule(StrictModel):
    """How many workers train the configurations that a partial match fits."""

    match: JsonObject = Field(min_length=1, examples=[{"model": "vgg"}])
    workers: Workers


class WorkersByRule(StrictModel):
    """The first rule that fits a configuration says how many workers train it."""

    default: Workers = Field(1, description="Where no rule fits.")
    rules: list[WorkersRule] = Field(min_length=1, max_length=50)


OMITTED_DEFAULTS: JsonObject = {
    "ema": None,
    "test_time": "none",
    "robustness": [],
    "step": {"name": "standard"},
    "imbalance": {"name": "none"},
    "label_noise": {"name": "none"},
    "fraction": 1.0,
}
"""What a configuration leaves out: an axis or setting added later keeps the keys of trials without it."""


def _every_corruption(value: Any) -> Any:
    """`all` spelled out."""
    return list(CORRUPTIONS) if value == "all" else value


def _in_table_order(names: list[str]) -> list[str]:
    """Each once and in one order, so that the order of a list is in no key."""
    if len(set(names)) < len(names):
        raise ValueError(f"{', '.join(names)} names a corruption twice")
    return [name for name in CORRUPTIONS if name in names]


if TYPE_CHECKING:
    CorruptionName = str
else:
    CorruptionName = Literal[tuple(CORRUPTIONS)]

Robustness = Annotated[
    list[CorruptionName],
    BeforeValidator(_every_corruption, json_schema_input_type=list[CorruptionName] | Literal["all"]),
    AfterValidator(_in_table_order),
]


class Settings(StrictModel):
    """The protocol of a sub-grid: how its trials are trained and evaluated; configurations share it to be compared."""

    validation: Validation = Field(
        Stratified(),
        description="Which training images are held out for selection; the test set is never used for it. "
        "given: none of them, but the validation part that comes with the data set.",
        examples=[{"stratified": 0.1}, {"tail": 0.2}, "given", "none"],
    )
    early_stopping: EarlyStoppingRule | None = Field(
        None, description="Leave it out to train every epoch.", examples=[{"patience": 5}]
    )
    weights: Literal["last", "best"] = Field(
        "last", description="Test the weights of the last epoch or of the best epoch."
    )
    refit: bool = Field(False, description="Train again on all training images for the selected number of epochs.")
    ema: Fraction | None = Field(
        None,
        description="Validate and test a running average of the weights, with this decay per step.",
        examples=[0.999],
    )
    test_time: Literal["none", "flip"] = Field(
        "none", description="flip: average the logits of each image and of its mirror image; every report names it."
    )
    robustness: Robustness = Field(
        [],
        description="Corruptions of the test images, each evaluated at five severities after training; or all of them.",
        json_schema_extra={"examples": [["gaussian_noise", "fog"], "all"]},
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    workers: Workers | WorkersByRule = Field(
        1,
        description="Processes that train a trial together, each on its slice of every batch.",
        examples=[2, {"rules": [{"match": {"model": "vgg"}, "workers": 2}]}],
    )
    deterministic: bool = Field(False, description="Ask for deterministic kernels; on a CPU they always are.")


def _unique_seeds(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{seeds} names a seed twice")
    return seeds


Seeds = Annotated[
    list[Seed], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_unique_seeds)
]


class SearchSettings(StrictModel):
    """How values are drawn from the distributions of a sub-grid: at random, or by what earlier trials reached."""

    algorithm: Literal["random", "tpe"] = Field(
        "tpe",
        description="random: the same as `samples`. tpe: the tree-structured Parzen estimator (Bergstra et al. 2011), "
        "as Optuna has it.",
    )
    trials: Positive = Field(description="How many configurations; a higher number later keeps the first ones.")
    startup: Positive = Field(10, description="tpe: as many configurations are drawn at random first.")
    batch: Positive = Field(
        5,
        description="tpe: configurations that are proposed at a time, by the results of all earlier batches; they "
        "train side by side.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> SearchSettings:
        adaptive_only = [name for name in ("startup", "batch") if name in self.model_fields_set]
        if self.algorithm == "random" and adaptive_only:
            raise ValueError(f"`{adaptive_only[0]}` is for algorithm tpe; remove it, or write `algorithm: tpe`")
        if self.algorithm != "random" and self.startup > self.trials:
            unsaid = "" if "startup" in self.model_fields_set else " (the default)"
            raise ValueError(
                f"`startup: {self.startup}`{unsaid} is more than `trials: {self.trials}`; "
                "start with fewer, or run more trials"
            )
        return self

    @property
    def n_draws(self) -> int:
        """How many configurations are drawn at random."""
        return self.trials if self.algorithm == "random" else self.startup


class Sampling(StrictModel):
    """How a sub-grid is repeated."""

    seeds: Positive | Seeds = Field(
        1, description="How many seeds (0, 1, ...), or a list of them.", examples=[3, [0, 1, 2]]
    )
    samples: Positive | None = Field(
        None, description="Samples from the distributions in this sub-grid.", examples=[20]
    )
    search: SearchSettings | None = Field(
        None,
        description="Instead of `samples`: a search of the distributions in this sub-grid.",
        examples=[{"algorithm": "tpe", "trials": 60, "startup": 15}],
    )

    @property
    def settings(self) -> SearchSettings | None:
        """The search; `samples` is a random one."""
        if self.samples is None:
            return self.search
        return SearchSettings.model_validate({"algorithm": "random", "trials": self.samples})


class Pruning(StrictModel):
    """Successive halving over configurations, each group by itself: ASHA, or with a barrier at each rung."""

    method: Literal["asha", "halving"] = Field(
        "asha",
        description="asha (Li et al. 2020, arXiv 1810.05934): a trial is compared with those that reached its rung "
        "before, and nobody waits. halving: a rung waits for all of its trials, so that the cost is known beforehand.",
    )
    grace_period: Positive | None = Field(
        None,
        description="Epochs that every configuration may train; a fifth of its epochs where it is left out.",
        examples=[3],
    )
    reduction_factor: Annotated[int, Field(ge=2)] = Field(
        2, description="At each rung one in this many configurations goes on."
    )
    group: list[Literal[tuple(AXIS_ORDER)]] = Field(  # type: ignore[valid-type]
        ["model"], description="Configurations that differ in these axes are never pruned against each other."
    )
    brackets: Positive = Field(
        1,
        description="As in Hyperband: this many brackets, each pruned by itself; the first rung of "
        "each comes `reduction_factor` times as late as that of the bracket before.",
    )
    seeds: Literal["first", "all"] | None = Field(
        None,
        description="What a rung compares. all: the means of all seeds of each configuration; the default with "
        "`method: halving`. first: first seeds, and the others run for the survivors only; all that asha knows.",
    )

    @model_validator(mode="after")
    def _seeds_can_wait(self) -> Self:
        if self.seeds == "all" and self.method == "asha":
            raise ValueError(
                "seeds: all waits for all seeds of a configuration, and method: asha waits for nobody; "
                "write method: halving, or leave seeds out"
            )
        return self

    @property
    def compares_all_seeds(self) -> bool:
        """Whether a rung compares the means of all seeds of each configuration."""
        return self.method == "halving" and self.seeds != "first"

    def first_rung(self, epochs: int) -> int:
        """The first rung of a trial of so many epochs."""
        return self.grace_period or max(1, round(epochs / 5))

    @model_serializer(mode="wrap")
    def _rule(self, plain: SerializerFunctionWrapHandler) -> JsonObject:
        """What a method leaves no choice of is not named: a single bracket, and the seeds that ASHA compares."""
        rule: JsonObject = plain(self) | {"seeds": "all" if self.compares_all_seeds else "first"}
        unnamed = ["brackets"] * (self.brackets == 1) + ["seeds"] * (self.method == "asha")
        return {key: value for key, value in rule.items() if key not in unnamed}


BLOCK_KEYS = (*AXIS_ORDER, *Settings.model_fields, *Sampling.model_fields)
"""What a sub-grid, and `defaults`, may hold."""


class SuiteReference(StrictModel):
    """A published result with the configuration that reproduces it."""

    id: str = Field(description="Of the published result; `bench list published`.")
    match: JsonObject | None = Field(
        None,
        description="The configuration that reproduces it, by a partial match that fits no other.",
        min_length=1,
        examples=[{"model": {"name": "mlp"}, "regularizer": "none"}],
    )
    chosen: bool = Field(
        False,
        description="A search: `match` may fit several; the configuration selected on validation represents them.",
    )
    note: str = Field("", description="Why the configuration differs, or why it is not run.")


def _unique_names(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError(f"{', '.join(names)} names a metric twice")
    return names


def _metric(name: object, is_built_in: ValidatorFunctionWrapHandler) -> object:
    return name if isinstance(name, str) and is_user_defined(name) else is_built_in(name)


def _ranking_metric(name: object, is_built_in: ValidatorFunctionWrapHandler) -> object:
    if isinstance(name, str) and is_user_defined(name):
        raise ValueError(
            f"{name!r} cannot rank: your own metric has no validation value to select by; name it under `metrics`, "
            "which displays it"
        )
    return is_built_in(name)


class SuiteFile(BaseModel):
    """The top level of a suite file; `defaults` and `grid` are expanded by bench.suite.expand."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    title: str = ""
    description: str = ""
    references: list[str | SuiteReference] = Field(
        [],
        description="Published results to compare with: ids (`bench list published`) or mappings (`bench published`).",
        examples=[["lab-e-baseline", {"id": "lab-e-l2", "match": {"regularizer": "l2"}}]],
    )
    metrics: Annotated[
        list[Annotated[Literal[tuple(METRICS)], WrapValidator(_metric)]],  # type: ignore[valid-type]
        AfterValidator(_unique_names),
    ] = Field(
        ["accuracy"],
        description="The test metrics of the leaderboard; your own as path/to/file.py:function.",
        min_length=1,
        json_schema_extra={"uniqueItems": True},
    )
    rank_by: Annotated[Literal[tuple(METRICS)], WrapValidator(_ranking_metric)] = Field(  # type: ignore[valid-type]
        "accuracy",
        description="The metric that ranks: its validation value selects, its test value sorts the rows.",
    )
    defaults: JsonObject = Field(
        {},
        description="Axes and settings that all sub-grids share.",
        examples=[{"dataset": "fashion_mnist", "epochs": 10}],
    )
    grid: JsonObject | list[JsonObject] = Field(
        description="The axes, or a list of sub-grids, each with its own.", examples=[{"model": "mlp"}]
    )
    exclude: list[JsonObject] = Field(
        [], description="Partial matches of configurations to leave out.", examples=[[{"model": "mlp"}]]
    )
    pruning: Pruning | None = Field(
        None, examples=["none", "asha", "halving", {"method": "halving", "grace_period": 3}]
    )
    max_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None,
        description="Minutes of training after which a trial ends as timed out; looked at after each epoch.",
        examples=[30],
    )
    confirm: Positive | None = Field(
        None,
        description="Train the configuration that validation selected and its rivals with so many fresh seeds, and "
        "report by these.",
        examples=[3],
    )
    sampling_seed: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(gt=0, le=1_000_000)] = Field(10_000, description="A suite of more trials is an error.")
