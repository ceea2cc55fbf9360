"""A sample of the plans that went out in the last round, for the report: what plans look like and how users differ."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chordsim.methods import MethodSpec
from chordsim.nets.shapes import Shapes
from chordsim.quant.settings import PlanSettings
from chordsim.ragged import Ints, Ragged
from chordsim.store import RunDirectory, atomic_write
from chordsim.wire.rows import decode_rows

FILE = "plans.parquet"
#: Phones of a round whose plans are kept, the first by id; ids say nothing about phone or user.
KEPT = 1024


class PlanSample:
    """Plans by method, as packed codes; methods whose prescription is no plan are left out."""

    def __init__(self, shapes: Shapes) -> None:
        """Start empty; ``shapes`` names the layers that codes belong to."""
        self._shapes = shapes
        self._layers: dict[str, list[tuple[str, int, int]]] = {}
        self._widths: dict[str, list[int]] = {}
        self._rows: list[tuple[str, int, int, bytes]] = []

    def add(self, spec: MethodSpec, half: object, round: int, device_ids: Ints, frames: Ragged) -> None:
        """Take in one round of one method.

        Args:
            spec: The method.
            half: Its cloud half.
            round: The round.
            device_ids: Of the rows, [M].
            frames: Prescriptions as they crossed, [M]; empty rows were not sent.
        """
        settings = getattr(half, "settings", None)
        if not isinstance(settings, PlanSettings):
            return
        self._widths[spec.name] = list(settings.widths)
        self._layers[spec.name] = [(n.name, n.channels, n.fan_in) for n in self._shapes.grouped(settings.group).layers]
        first = frames.slice(0, min(KEPT, len(frames)))
        payloads, bad = decode_rows("prescription", spec.name, round, first)
        for row in np.flatnonzero((bad == 0) & (payloads.lengths > 0)).tolist():
            self._rows.append((spec.name, round, int(device_ids[row]), payloads[row]))

    def write(self, store: RunDirectory) -> None:
        """Write plans.parquet, if any method made plans; layers and widths stand in its metadata."""
        if not self._widths:
            return
        method, round, device, plan = zip(*self._rows, strict=True) if self._rows else ((), (), (), ())
        meta = {"chordsim.layers": json.dumps(self._layers), "chordsim.widths": json.dumps(self._widths)}
        schema = pa.schema(
            [("method", pa.string()), ("round", pa.int64()), ("device_id", pa.int64()), ("codes", pa.binary())], metadata=meta
        )
        table = pa.table([pa.array(c, f.type) for c, f in zip((method, round, device, plan), schema, strict=True)], schema=schema)
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        atomic_write(store.path / FILE, memoryview(buffer.getvalue()))
