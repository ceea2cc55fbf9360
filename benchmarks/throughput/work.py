"""The same phones for every engine: synthetic users of MovieLens-1M's shapes, an untrained seeded cloud, plans made beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from chordsim import methods
from chordsim.arrays import Ints
from chordsim.engine.cell import Carrier, CellCall, CellReply
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, CloudHalf, History, PhoneBatch
from chordsim.methods.chord.device import PlanDevice
from chordsim.methods.exchange import blob_digest
from chordsim.nets import footprint
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.threads import one_thread_per_product
from chordsim.wire.frame import encode_rows
from chordsim.world import World, fresh

METHOD, ROUND, CHUNK = "chord-plus", 1, 256
#: What ml-1m has after its filters; lengths are drawn around the mean.
ML_1M = ('data.source="synthetic"', "data.synthetic.users=6040", "data.synthetic.items=3416", "data.synthetic.mean_length=165")
#: Phones own the whole table and rank all items, which is the most work that a phone can make.
EVERY_ITEM = ("backbone.items=owned", "protocol.ranking=all")
#: Phones that every plan fits, so that all of them do all of the work.
ROOMY = (
    "population.tiers={all={share=1.0,ram_gb=4.0,gmacs_per_s=2.5,down_mbps=15.0,up_mbps=5.0,round_trip_ms=60.0,nj_per_mac=0.6,"
    "radio_w=1.0,memory_of_fp32=4.0,latency_ms=1000.0,bits=2.0}}",
)
UNTRAINED = ("training.max_steps=0", f'methods=["{METHOD}"]', f"engine.chunk_size={CHUNK}")


@dataclass(frozen=True)
class Work:
    """Phones that have sent their profiles and are about to receive their plans.

    Attributes:
        world: The scenario with its data.
        text: The resolved scenario.
        ids: Devices, [D].
        frames: Encoded prescriptions, one per device.
        blobs: Bootstrap parts by digest.
        labels: Digest of each part by label.
        half: The device half of the method.
        model: What it loaded from the bootstrap.
    """

    world: World
    text: str
    ids: Ints
    frames: Ragged
    blobs: dict[str, bytes]
    labels: dict[str, str]
    half: PlanDevice
    model: Any

    @property
    def flop_per_phone(self) -> int:
        """Operations that one phone's request needs, two per multiply-accumulate, counted from shapes: backbone and scores."""
        return 2 * footprint.dense_macs(self.half.shapes)

    def calls(self, cells: int) -> list[CellCall]:
        """Return the second visit of the exchange, prescription down and report up, cut into cells of whole chunks."""
        size, rows = self.world.chunk_size, self.ids.size
        edges = np.linspace(0, rows // size, min(cells, rows // size) + 1).round().astype(int) * size
        header = {
            "scenario": self.text,
            "data": self.world.digest,
            "method": METHOD,
            "round": ROUND,
            "blobs": self.labels,
            "legs": [[leg.direction, leg.kind] for leg in (DOWN_PRESCRIPTION, UP_REPORT)],
        }
        return [CellCall(n, header, *self._rows(int(a), int(b))) for n, (a, b) in enumerate(zip(edges[:-1], edges[1:], strict=True))]

    def _rows(self, start: int, stop: int) -> tuple[methods.Columns, dict[str, Ragged]]:
        rows = stop - start
        columns = {"device_id": self.ids[start:stop], "active": np.ones(rows, np.bool_), "up_fraction": np.ones((rows, 1))}
        return columns, {"prescription": self.frames.slice(start, stop)}

    def exchange(self, carrier: Carrier, calls: Sequence[CellCall]) -> methods.Floats:
        """Carry calls and return the ranks of all phones, [D]; a worker that lacks the bootstrap gets it."""
        replies: dict[int, CellReply] = {}
        waiting = {call.cell: call for call in calls}
        for _ in range(4):
            for reply in carrier.exchange(list(waiting.values())):
                if reply.error:
                    raise RuntimeError(reply.error)
                if reply.missing:
                    call = waiting[reply.cell]
                    waiting[reply.cell] = CellCall(call.cell, call.header, call.columns, call.wire, self.blobs)
                else:
                    replies[reply.cell] = reply
                    del waiting[reply.cell]
            if not waiting:
                break
        if waiting:
            raise RuntimeError("a worker still lacks the bootstrap")
        return np.concatenate([replies[n].columns["rank"] for n in sorted(replies)])


def scenario_text(overrides: Sequence[str] = (), seed: int = 1) -> str:
    """Return the resolved scenario of an untrained `chord-plus` on ml-1m's shapes."""
    return dump(load("quickstart", [*ML_1M, *ROOMY, *UNTRAINED, *EVERY_ITEM, *overrides], seed))


def prepare(phones: int, overrides: Sequence[str] = (), threads: Executor | None = None) -> Work:
    """Return ``phones`` devices with their plans made.

    Args:
        phones: How many; a multiple of the chunk size.
        overrides: Over the scenario's keys.
        threads: Where chunks are planned side by side; None for one after the other.
    """
    one_thread_per_product()
    text = scenario_text((f"population.devices={phones}", *overrides))
    world = fresh(text)
    spec, context = world.specs[METHOD], world.context(METHOD)
    cloud: CloudHalf = methods.load(spec.cloud)(context)
    half: PlanDevice = methods.load(spec.device)(context)
    state = cloud.train(world.logs, Silent())
    parts = [(blob.label, blob_digest(blob.data), blob.data) for blob in cloud.bootstrap(state)]
    model = half.load({label: data for label, _, data in parts})
    ids, size = np.arange(phones, dtype=np.int64), world.chunk_size
    if phones % size:
        raise ValueError(f"{phones} phones are not a whole number of chunks of {size}")

    def plans(start: int) -> Ragged:
        who, history = chunk(world, ids[start : start + size])
        with torch.inference_mode():
            profile = half.act(model, {}, UP_PROFILE, who, history, Ragged.empty(size)).outbox
        turn = cloud.respond(state, DOWN_PRESCRIPTION, Batch(who.device_ids, who.active, ROUND), profile)
        if turn.refusal.any():
            raise RuntimeError("a phone of the benchmark was refused its plan")
        return turn.outbox

    starts = range(0, phones, size)
    payloads = Ragged.concat(list(threads.map(plans, starts) if threads else map(plans, starts)))
    frames = encode_rows("prescription", METHOD, ROUND, payloads, np.ones(phones, np.bool_))
    return Work(world, text, ids, frames, {d: data for _, d, data in parts}, {label: d for label, d, _ in parts}, half, model)


def chunk(world: World, ids: Ints) -> tuple[PhoneBatch, History]:
    """Return some devices as a device half sees them."""
    who = PhoneBatch(ids, np.ones(ids.size, np.bool_), ROUND, world.population.profiles(ids).budgets)
    return who, world.split.history(world.population.users(ids), ROUND, world.scenario.backbone.max_len)
