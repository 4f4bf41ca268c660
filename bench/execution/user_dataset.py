"""The data of trials. A data set of the user's own code is made once, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bench.components.base import Component
from bench.data import Dataset, load, shape, train_size
from bench.data.npz import ARRAYS, DataArrays, from_arrays
from bench.errors import UserError
from bench.suite.trial import Trial
from bench.user_code.component_code import UserCode

_loaded: dict[tuple[str, str], Dataset] = {}
"""By the trials' data and the code's checksum."""


def load_dataset(trial: Trial, data_dir: Path | None = None, notify: Callable[[str], None] = lambda _: None) -> Dataset:
    """The data of a trial, from the catalogue or the user's own code; errors are those of either."""
    code = trial.data_code
    if code is None:
        return load(trial.run_config.dataset.to_json(), data_dir, notify)
    cache_key = trial.data, code.checksum
    if cache_key not in _loaded:
        from bench.execution.forkserver import call

        fields = call(UserCode((code,)), _arrays, trial.config.dataset)
        _loaded[cache_key] = Dataset(name=code.name, sha256=code.checksum, source=code.folder, **fields)
    return _loaded[cache_key]


def dataset_shape(trial: Trial) -> tuple[tuple[int, int, int], int]:
    """The (channels, height, width) of a trial's images, and how many classes there are."""
    if trial.data_code is None:
        return shape(trial.run_config.dataset.to_json())
    data = load_dataset(trial)
    channels, height, width = data.train_images.shape[1:]
    return (channels, height, width), len(data.classes)


def dataset_train_size(trial: Trial) -> int:
    """How many training images there are, validation included."""
    if trial.data_code is None:
        return train_size(trial.run_config.dataset.to_json())
    return len(load_dataset(trial).train_labels)


def _arrays(component: Component) -> DataArrays:
    """What the code returns, checked: uint8 images and labels of both parts, and perhaps the classes' names."""
    from bench.user_code.run_code import call_component

    arrays = call_component(component, **component.parameters)
    if not isinstance(arrays, Mapping):
        raise UserError(
            f"dataset {component.name!r}: its factory returned {type(arrays).__name__}, expected a mapping of NumPy "
            f"arrays with {', '.join(ARRAYS)}, and perhaps `classes`"
        )
    return from_arrays(f"dataset {component.name!r}", arrays)
