"""One phone's function, for engines that play phones one by one: what a cohort does to a row, written for one phone.

It looks up the phone's history, decodes and checks its prescription, builds its quantized weights from the same table of
pre-quantized channels, checks them against its memory and latency, runs the backbone, scores all items, masks what the user
had, ranks the target, and encodes the report. Plans are made beforehand. It is leaner than a cohort step of one row, which
would pay for arrays of one element: no batches, no columns, one weight per layer.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch

from benchmarks.throughput.work import METHOD, ROUND, Work
from chordsim.methods import Kind
from chordsim.nets import footprint
from chordsim.nets.backbone import last_states
from chordsim.wire.errors import BadCrc
from chordsim.wire.frame import CRC, HEADER, MAGIC, VERSION, method_id
from chordsim.wire.limits import KIND_CODES
from chordsim.wire.reports import Reports, pack_reports

_SHIFTS = np.array([0, 2, 4, 6], np.uint8)
_NOTHING = np.zeros(1, np.uint8)


class Phones:
    """All phones of a piece of work, to be played one at a time."""

    def __init__(self, work: Work) -> None:
        self.frames = list(work.frames)
        self._model, self._backbone = work.model, work.world.scenario.backbone
        population, log = work.world.population, work.world.split.log
        users = population.users(work.ids)
        self._starts = log.offsets[users]
        self._ends = log.offsets[users + 1] - work.world.split.rounds - 1 + ROUND
        self._log = log.items
        self._budgets = population.profiles(work.ids).budgets
        layers = work.half.shapes.layers
        self._tables = [table.reshape(-1, layer.fan_in) for table, layer in zip(work.model.tables, layers, strict=True)]
        self._places = np.concatenate([np.arange(layer.channels) for layer in layers])
        self._strides = np.concatenate([np.full(layer.channels, layer.channels) for layer in layers])
        self._cuts = [layer.channels for layer in layers]
        fan_in, macs = footprint.channel_fan_in(work.half.shapes), footprint.channel_macs(work.half.shapes)
        widths = np.array(work.half.budget.widths)
        self._channels = np.arange(fan_in.size)
        self._bits, self._macs = fan_in[:, None] * widths, macs[:, None] * (widths > 0)
        self._fixed_bytes, self._fixed_macs = work.half.budget.fixed_bytes, footprint.fixed_macs(work.half.shapes)

    def play(self, device: int, frame: bytes) -> tuple[bytes, float]:
        """Return the encoded report of one phone and the rank in it.

        Raises:
            BadCrc: The prescription does not verify.
            RuntimeError: The plan does not fit the phone, which the benchmark's phones rule out.
        """
        packed = np.frombuffer(_payload("prescription", frame), np.uint8)
        codes = ((packed[:, None] >> _SHIFTS) & np.uint8(3)).reshape(-1)[: self._channels.size].astype(np.int64)
        self._check(device, codes)
        start, end = int(self._starts[device]), int(self._ends[device])
        mine = self._log[start:end].astype(np.int64)
        items = np.zeros((1, self._backbone.max_len), np.int64)
        items[0, -mine.size :] = mine[-self._backbone.max_len :]
        with torch.inference_mode():
            rows = torch.split(torch.from_numpy(codes * self._strides + self._places), self._cuts)
            weights = [table.index_select(0, chosen) for table, chosen in zip(self._tables, rows, strict=True)]
            model = self._model
            state = last_states(torch.from_numpy(items), model.item, model.position, weights, self._backbone)
            scores = torch.mv(model.item, state[0]).numpy()
        rank = _rank(scores, int(self._log[end]), mine)
        report = pack_reports(Reports(np.array([rank]), _NOTHING, _NOTHING)).tobytes()
        return _frame("report", report), rank

    def _check(self, device: int, codes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
        """Check the plan against what the phone grants, as it would."""
        memory = -(-int(self._bits[self._channels, codes].sum()) // 8) + self._fixed_bytes
        seconds = (int(self._macs[self._channels, codes].sum()) + self._fixed_macs) / self._budgets.macs_per_s[device]
        if memory > self._budgets.memory_bytes[device] or seconds > self._budgets.latency_s[device]:
            raise RuntimeError("a plan of the benchmark does not fit its phone")


def _frame(kind: Kind, payload: bytes) -> bytes:
    """Return one message as `chordsim.wire.frame` would frame it."""
    body = HEADER.pack(MAGIC, VERSION, KIND_CODES[kind], method_id(METHOD), ROUND, len(payload)) + payload
    return body + CRC.pack(zlib.crc32(body))


def _payload(kind: Kind, frame: bytes) -> bytes:
    """Return what a message of this round holds.

    Raises:
        BadCrc: It is not the message that it should be, byte for byte.
    """
    payload = frame[HEADER.size : -CRC.size]
    if frame != _frame(kind, payload):
        raise BadCrc(f"not a {kind} of {METHOD} in round {ROUND}")
    return payload


def _rank(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]], target: int, seen: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> float:
    """Return the target's rank by the rules of `chordsim.evaluate`."""
    wanted = scores[target]
    scores[0] = -np.inf
    scores[seen] = -np.inf
    if np.isneginf(scores[target]):
        return float(scores.size)
    return 1.0 + int((scores > wanted).sum()) + 0.5 * (int((scores == wanted).sum()) - 1)
