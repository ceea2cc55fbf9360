"""Flower's own strategies in place of chordsim's average: what phones send goes in as Flower replies, new weights come out.

A strategy's moments are part of the method's state, so they are in every checkpoint; nothing else outlives a round. Who
takes part is the scenario's selection, so no strategy samples.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from chordsim.arrays import Floats, State
from chordsim.errors import ScenarioError
from chordsim.nearest import suggest

#: Where strategies keep what outlives a round, in the method's state.
MOMENTS = ("m_t", "v_t", "momentum_vector")
_PREFIX = "strategy."
#: Constructor arguments that are chordsim's to give: nobody samples, and records have one name each.
_OURS = ("fraction_", "min_", "weighted_by_key", "arrayrecord_key", "configrecord_key", "selection_rule")
_FUNCTION = "_aggr_fn"
_WEIGHT = "num-examples"


def check(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a strategy does not take.

    Raises:
        ScenarioError: Naming the option and the nearest that exists.
    """
    if name == "average":
        if options:
            raise ScenarioError(f'settings.fedavg.strategy_options.{min(options)}: goes with a strategy of Flower\'s, not with "average"')
        return
    taken = _taken(name)
    for key, value in options.items():
        if key not in taken:
            near = suggest(key, taken) if taken else f": {name} takes none"
            raise ScenarioError(f"unknown key 'settings.fedavg.strategy_options.{key}'{near}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise ScenarioError(f"settings.fedavg.strategy_options.{key}: must be a number, not {value!r}")
        whole = isinstance(taken[key].default, int)
        if whole and not isinstance(value, int):
            raise ScenarioError(f"settings.fedavg.strategy_options.{key}: must be an integer, not {value!r}")


def aggregated(
    name: str, options: Mapping[str, Any], round: int, weights: Sequence[torch.Tensor], state: State, heard: Floats, examples: Floats
) -> State | None:
    """Return the weights and moments that a strategy makes of a round's updates; None if it makes none.

    Args:
        name: Of the strategy, in `flwr.serverapp.strategy`.
        options: Of its constructor.
        round: The round, from 1.
        weights: The weights in force, one tensor a layer.
        state: The method's state; holds the moments of the round before.
        heard: Flat weights that phones sent, [U, W].
        examples: How many examples each counts, [U], above 0.
    """
    from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
    from flwr.app.message import make_message
    from flwr.app.metadata import Metadata

    shapes = [tuple(weight.shape) for weight in weights]
    edges = np.cumsum([0, *(weight.numel() for weight in weights)])

    def record(parts: Sequence[np.ndarray[Any, Any]]) -> ArrayRecord:
        return ArrayRecord({f"weights.{n}": Array(part) for n, part in enumerate(parts)})

    def reply(flat: Floats, count: float) -> Message:
        parts = [
            np.ascontiguousarray(flat[a:b].reshape(shape), np.float32) for a, b, shape in zip(edges[:-1], edges[1:], shapes, strict=True)
        ]
        content = RecordDict({"arrays": record(parts), "metrics": MetricRecord({_WEIGHT: float(count)})})
        return make_message(metadata=Metadata(1, "", 2, 1, "asked", "", 0.0, 1.0, "train"), content=content)

    strategy = _made(name, options)
    # No share of the nodes is asked, so that this takes the weights in force and samples nobody.
    strategy.configure_train(round, record([w.numpy() for w in weights]), ConfigRecord(), None)
    for moment in MOMENTS:
        if hasattr(strategy, moment):
            setattr(strategy, moment, _restored(moment, state, len(weights)))
    arrays, _ = strategy.aggregate_train(round, [reply(flat, count) for flat, count in zip(heard, examples, strict=True)])
    if arrays is None:
        return None
    made = {key: torch.from_numpy(np.array(array.numpy(), np.float32)) for key, array in arrays.items()}
    return {**made, **{key: value for moment in MOMENTS for key, value in _kept(moment, getattr(strategy, moment, None)).items()}}


def _taken(name: str) -> dict[str, inspect.Parameter]:
    """Return the arguments that a strategy's constructor takes beside those that are chordsim's to give."""
    given = inspect.signature(_class(name)).parameters
    return {key: found for key, found in given.items() if not key.startswith(_OURS) and not key.endswith(_FUNCTION)}


def _class(name: str) -> Any:
    from flwr.serverapp import strategy

    return getattr(strategy, name)


def _made(name: str, options: Mapping[str, Any]) -> Any:
    return _class(name)(fraction_train=0.0, fraction_evaluate=0.0, weighted_by_key=_WEIGHT, **options)


def _restored(moment: str, state: State, layers: int) -> Any:
    """Return a moment as the strategy keeps it: by name, or in order; None before the first round."""
    found = [state.get(f"{_PREFIX}{moment}.weights.{n}") for n in range(layers)]
    values = [value.numpy() for value in found if value is not None]
    if len(values) < layers:
        return None
    return values if moment == "momentum_vector" else {f"weights.{n}": value for n, value in enumerate(values)}


def _kept(moment: str, value: Any) -> State:
    if value is None:
        return {}
    by_name = value if isinstance(value, dict) else {f"weights.{n}": part for n, part in enumerate(value)}
    return {f"{_PREFIX}{moment}.{key}": torch.from_numpy(np.array(part)) for key, part in by_name.items()}
