"""Which configurations may be compared? Those of one data set under one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.jsonutil import JsonObject, canonical
from bench.suite.labels import PROTOCOL
from bench.suite.schema import OMITTED_DEFAULTS

Config = JsonObject


def comparable(configs: Sequence[Config], of_suite: bool = True) -> list[list[int]]:
    """The indices of the configurations of each comparison, in their order.

    Within a suite the budget is what the suite varies. Of records of any origin, those with other epochs are of another
    protocol, unless some configuration was run at several.
    """
    by_protocol: dict[str, list[int]] = {}
    for index, config in enumerate(configs):
        protocol = {key: config.get(key, OMITTED_DEFAULTS.get(key)) for key in PROTOCOL}
        by_protocol.setdefault(canonical(protocol), []).append(index)
    if of_suite:
        return list(by_protocol.values())
    return [part for indices in by_protocol.values() for part in _split_by_epochs(configs, indices)]


def _split_by_epochs(configs: Sequence[Config], indices: list[int]) -> list[list[int]]:
    """Split by epochs, but keep epochs together where some configuration was run at several: those are an axis."""
    clusters: list[set[Any]] = []
    epochs_of: dict[str, set[Any]] = {}
    for index in indices:
        other_settings = {key: value for key, value in configs[index].items() if key != "epochs"}
        epochs_of.setdefault(canonical(other_settings), set()).add(configs[index].get("epochs"))
    for linked in epochs_of.values():
        touching = [cluster for cluster in clusters if cluster & linked]
        clusters = [cluster for cluster in clusters if not cluster & linked]
        clusters.append(linked.union(*touching))
    return [[index for index in indices if configs[index].get("epochs") in cluster] for cluster in clusters]
