"""How important layers, channels and weights are to a method that plans, beside the bits that its plans gave them: importance.parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from chordsim.arrays import Floats
from chordsim.files import atomic_write
from chordsim.ledger.names import IMPORTANCE
from chordsim.store.directory import RunDirectory
from chordsim.store.plans import PlanSample


@dataclass(frozen=True)
class Levels:
    """Means over the users of the validation, at the state that was kept.

    Attributes:
        layer: Of each layer, 1 on average, [L].
        filter: Of each channel, [C].
        element: Of each weight by layer, 0 to 1, [C, K] each.
    """

    layer: Floats
    filter: Floats
    element: Sequence[Floats]


def write(store: RunDirectory, told: Mapping[str, Levels], plans: PlanSample) -> None:
    """Write a row for every channel of every method that tells levels and sent plans in the last round; nothing where there is none.

    Args:
        store: The run.
        told: Levels by method.
        plans: What the last round sent.

    Raises:
        UserError, RunError: The disk refuses.
    """
    rows: list[tuple[str, str, int, float, float, float, list[float]]] = []
    for method, levels in told.items():
        layers, bits, first = plans.layers(method), plans.bits(method), 0
        if bits is None:
            continue
        for (name, channels, _), layer, element in zip(layers, levels.layer.tolist(), levels.element, strict=True):
            for channel in range(channels):
                at = first + channel
                rows.append((method, name, channel, float(bits[at]), layer, float(levels.filter[at]), element[channel].tolist()))
            first += channels
    if not rows:
        return
    methods, names, places, stored, of_layer, of_filter, of_element = zip(*rows, strict=True)
    table = pa.table(
        {
            "method": pa.array(methods, pa.string()),
            "layer": pa.array(names, pa.string()),
            "channel": pa.array(places, pa.int64()),
            "bits_mean": pa.array(stored, pa.float64()),
            "layer_importance": pa.array(of_layer, pa.float64()),
            "filter_importance": pa.array(of_filter, pa.float64()),
            "element_importance": pa.array(of_element, pa.list_(pa.float32())),
        }
    )
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    atomic_write(store.path / IMPORTANCE, memoryview(buffer.getvalue()))
