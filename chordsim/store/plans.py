"""A sample of the plans that went out in the last round, for the report: what plans look like and how users differ."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chordsim import arrow
from chordsim.arrays import Floats, Ints
from chordsim.files import atomic_write
from chordsim.methods import MethodContext, MethodSpec
from chordsim.methods.blame import blamed
from chordsim.nets.shapes import Shapes
from chordsim.ragged import Ragged
from chordsim.store.directory import RunDirectory
from chordsim.wire.codes import decode_codes
from chordsim.wire.frame import decode_rows

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

    def add(self, spec: MethodSpec, context: MethodContext, round: int, device_ids: Ints, frames: Ragged) -> None:
        """Take in one round of one method.

        Args:
            spec: The method.
            context: Its settings.
            round: The round.
            device_ids: Of the rows, [M].
            frames: Prescriptions as they crossed, [M]; empty rows were not sent.
        """
        with blamed(spec.name, f"plan form, round {round}"):
            form = spec.plan_form(context)
        if form is None:
            return
        self._widths[spec.name] = list(form.widths)
        self._layers[spec.name] = [(n.name, n.channels, n.fan_in) for n in self._shapes.grouped(form.group).layers]
        first = frames.slice(0, min(KEPT, len(frames)))
        payloads, bad = decode_rows("prescription", spec.name, round, first)
        for row in np.flatnonzero((bad == 0) & (payloads.lengths > 0)).tolist():
            self._rows.append((spec.name, round, int(device_ids[row]), payloads[row]))

    def layers(self, method: str) -> list[tuple[str, int, int]]:
        """Return name, channels (or groups) and fan-in of each layer of a method's plans; none of a method without plans."""
        return self._layers.get(method, [])

    def bits(self, method: str) -> Floats | None:
        """Return the bits of each channel, the mean over the plans that were kept, [C]; None where a method sent none."""
        packed = Ragged.of_rows(plan for name, _, _, plan in self._rows if name == method)
        codes, sound = decode_codes(packed, sum(channels for _, channels, _ in self.layers(method)))
        return np.asarray(self._widths[method])[codes[sound]].mean(0) if sound.any() else None

    def write(self, store: RunDirectory) -> None:
        """Write plans.parquet, if any method made plans; layers and widths stand in its metadata."""
        if not self._widths:
            return
        method, round, device, plan = zip(*self._rows, strict=True) if self._rows else ((), (), (), ())
        meta: dict[str, str] = {"chordsim.layers": json.dumps(self._layers), "chordsim.widths": json.dumps(self._widths)}
        table = pa.table(
            {
                "method": arrow.texts(method),
                "round": arrow.column(np.array(round, np.int64)),
                "device_id": arrow.column(np.array(device, np.int64)),
                "codes": arrow.binaries(plan),
            }
        ).replace_schema_metadata(meta)
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        atomic_write(store.path / FILE, memoryview(buffer.getvalue()))
