"""Device half of the methods that receive a plan: read the user, decode the plan, quantize, rank, or refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chordsim.arrays import Columns, Ints
from chordsim.kernels.users import read_users, turned_users
from chordsim.methods import INVALID, Budgets, Cost, History, Leg, MethodContext, PhoneBatch, Scorer, Turn
from chordsim.methods.chord.settings import PlanSettings, plan_budget, session_macs
from chordsim.nets import blobs, extractor, user_input
from chordsim.nets.backbone import last_states
from chordsim.nets.choice import fed
from chordsim.nets.frozen import masked
from chordsim.quant.budget import PlanCost, refusals
from chordsim.quant.decode import breaks, decode
from chordsim.quant.packing import unpack_bits
from chordsim.quant.plan import gather, room_for
from chordsim.quant.quantizer import scaled, table
from chordsim.ragged import Ragged
from chordsim.runtime.portable import Planned, Portable, parts_of
from chordsim.wire.codes import Codes, decode_codes, decode_numbers
from chordsim.wire.floats import pack_budgets, pack_floats
from clients.frozen import load_frozen, load_gains
from clients.fusion import Fused
from clients.half import BLOCK, Device, Products, in_blocks, load_tables, quiet


@dataclass(frozen=True)
class Model:
    """What a phone holds before its first plan.

    Attributes:
        item: Item embeddings [n_items + 1, d].
        position: Position embeddings [P, d].
        reader: The feature extractor; None where nobody reads the user.
        user_input: What turns its vector into a part of the backbone's inputs, [d, profile_dim]; None where it is none.
        worth: What every code of every channel is worth under each plan that the phone holds, [K, C, 4]; None where it holds none.
        tables: Every channel at every code, per layer [4, C, K]; a simulator's shortcut, exact because a
            quantized channel depends only on (channel, bits).
    """

    item: Tensor
    position: Tensor
    reader: torch.nn.Module | None
    user_input: Tensor | None
    worth: Tensor | None
    tables: list[Tensor]


class PlanDevice(Device):
    """Owns the frozen backbone; a plan tells it how to quantize each channel."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        self.settings = PlanSettings.of(context.name, context.settings)
        self.shapes = self.shapes.grouped(self.settings.group)
        self.budget = plan_budget(self.shapes, self.settings)

    @property
    def apart(self) -> bool:
        """Whether a phone's results hang on nobody else (`chordsim.methods.contract.apart`): compiled loops take one after the other."""
        loops, config = self.kernels, self.context.backbone
        return loops.native and loops.device == "cpu" and loops.compiles(config) and self.settings.extractor == "mean"

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Draw or unpack the backbone, check it, and decode embeddings, extractor, mask and gains.

        Raises:
            BackboneMismatch: The backbone is not the one that the cloud plans for.
            BadPayload: A blob is not what this backbone needs.
        """
        tables, worth = load_tables(blobs_by_label, self.shapes), self.worth(blobs_by_label)
        return Model(*tables, *self.readers(blobs_by_label), worth, self.tables(blobs_by_label))

    def worth(self, blobs_by_label: Mapping[str, bytes]) -> Tensor | None:
        """Return what a bootstrap says that codes are worth, [K, C, 4]; None where sessions bring plans."""
        if not self.settings.by_number:
            return None
        return blobs.load(blobs_by_label["utilities"], {"utilities": (self.settings.plans, self.shapes.channels, 4)})["utilities"]

    def readers(self, blobs_by_label: Mapping[str, bytes]) -> tuple[torch.nn.Module | None, Tensor | None]:
        """Return what a bootstrap brings to read users: the extractor, and what brings its vector among the backbone's inputs."""
        s, dim = self.settings, self.context.backbone.dim
        reader = matrix = None
        if s.reads_users:
            reader = extractor.restored(blobs_by_label["extractor"], s.extractor, dim, s.profile_dim, s.extractor_bits, s.reads)
        if s.user_input:
            matrix = user_input.restored(blobs_by_label[user_input.NAME], dim, s.profile_dim)
        return reader, matrix

    def tables(self, blobs_by_label: Mapping[str, bytes]) -> list[Tensor]:
        """Return every channel at every code, per layer [4, C, K], of the backbone that a bootstrap brings."""
        source = self._source(blobs_by_label)[0]
        rows = [table(w, self.settings.widths) for w in source]
        if not self.settings.gains:
            return rows
        return [scaled(choices, gains) for choices, gains in zip(rows, self._gains(blobs_by_label), strict=True)]

    def portable(self, blobs_by_label: Mapping[str, bytes]) -> Portable | None:
        """Return the tables, the frozen weights that plans are applied to, and what joins the inputs.

        None where inputs are rounded, where plans come as numbers, which no run keeps, or where orders are fused.
        """
        s = self.settings
        if s.activation_bits < 32 or s.by_number or s.fuse:
            return None
        item_and_position = load_tables(blobs_by_label, self.shapes)
        source, kept, turned = self._source(blobs_by_label)
        told = json.loads(blobs_by_label["backbone"])
        planned = Planned(
            source=[weight.numpy() for weight in source],
            widths=s.widths,
            gains=torch.cat(self._gains(blobs_by_label)).numpy() if s.gains else None,
            seed=None if told["shipped"] else int(told["seed"]),
            law=s.law,
            keep=s.mask_keep,
            kept=torch.cat(kept).numpy() if kept else None,
            turned=torch.cat(turned).numpy() if turned else None,
        )
        item, position = item_and_position
        joined = self._joins(self.load(blobs_by_label)) if s.user_input else None
        return Portable(item.numpy(), position.numpy(), parts_of(self.shapes.layers), planned=planned, joined=joined)

    def _joins(self, model: Model) -> Callable[[Ints], npt.NDArray[np.float32]]:
        """Return what makes of histories [D, n] that which joins the backbone's inputs, [D, d]."""

        def joins(items: Ints) -> npt.NDArray[np.float32]:
            user = self._joined(model, torch.from_numpy(items))
            assert user is not None
            return np.asarray(user.numpy(), np.float32)

        return joins

    def _source(self, blobs_by_label: Mapping[str, bytes]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return the frozen weights under the shared mask, and bits packed by layer, where there are any: what it keeps, what it turns."""
        s, frozen = self.settings, load_frozen(blobs_by_label, self.shapes.layers, self.settings.law)
        if s.mask_keep >= 1:
            return frozen, [], []
        kept = self._bits(blobs_by_label["mask"])
        turned = self._bits(blobs_by_label["turned"]) if s.turns else []
        masks = [unpack_bits(bits, tuple(w.shape)).float() for w, bits in zip(frozen, kept, strict=True)]
        if turned:
            masks = [m * (1 - 2 * unpack_bits(bits, tuple(m.shape)).float()) for m, bits in zip(masks, turned, strict=True)]
        return [masked(w, m, s.mask_keep) for w, m in zip(frozen, masks, strict=True)], kept, turned

    def _bits(self, blob: bytes) -> list[Tensor]:
        """Return a bit for each weight, packed, by layer."""
        sizes = {str(n): (-(-layer.channels * layer.fan_in // 8),) for n, layer in enumerate(self.shapes.layers)}
        stored = blobs.load(blob, sizes)
        return [stored[name] for name in sizes]

    def _gains(self, blobs_by_label: Mapping[str, bytes]) -> list[Tensor]:
        """Return the learnt scales by layer, [C, 1] or [C, 4]."""
        return load_gains(blobs_by_label, self.shapes.layers, self.settings.gain_columns)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send a profile up; turn a prescription into a ranking."""
        if leg.kind == "profile":
            return self._profile(model, who, history)
        if leg.kind == "prescription":
            return self._apply(model, who, history, inbox)
        return quiet(len(who))

    def _profile(self, model: Model, who: PhoneBatch, history: History) -> Turn:
        alike = self.alike(history.items)
        items = history.items if alike is None else history.items[alike[0]]
        given = torch.from_numpy(items)
        user = self._users(model, given).numpy()
        user = user if alike is None else user[alike[1]]
        payload = np.concatenate([pack_floats(user), pack_budgets(who.budgets)], 1)
        return quiet(len(who), Ragged.of_matrix(payload, who.active))

    def _users(self, model: Model, items: Tensor) -> Tensor:
        """Return the user embeddings [D, profile_dim] of phones with these histories."""
        assert model.reader is not None
        return read_users(model.reader, items, model.item) if self.kernels.native else model.reader(items, model.item)

    def _joined(self, model: Model, items: Tensor) -> Tensor | None:
        """Return what joins the backbone's inputs, [D, d]; None where nothing does."""
        matrix = model.user_input
        if matrix is None:
            return None
        user = self._users(model, items)
        return turned_users(user, matrix) if self.kernels.native else user @ matrix.T

    def plan(self, model: Any, who: PhoneBatch, inbox: Ragged) -> tuple[Tensor, Codes]:
        """Return the plan that each phone applies, [D, C], and what of its message or which budget forbids one, [D], 0 for nothing."""
        if self.settings.by_number:
            numbers, sound = decode_numbers(inbox, self.settings.plans)
            plan, short = self._bought(model, torch.from_numpy(numbers), who.budgets)
        else:
            codes, sound = decode_codes(inbox, self.shapes.channels)
            sound &= (codes >= self.settings.lowest).all(1)
            codes = np.where(sound[:, None], codes, self.settings.lowest).astype(np.uint8)
            plan, short = self._read(torch.from_numpy(codes), who.budgets), np.zeros(len(who), np.uint8)
        return plan, np.where(sound, short, INVALID).astype(np.uint8)

    def _apply(self, model: Model, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        plan, short = self.plan(model, who, inbox)
        alike = self.alike(history.items, plan.numpy())
        if alike is None:
            states, spent = self._states(model, plan, torch.from_numpy(history.items)), self.budget.cost_of(plan, self.kernels.channel_sums)
        else:
            some = plan[torch.from_numpy(alike[0])]
            states = self._states(model, some, torch.from_numpy(history.items[alike[0]]))
            spent = self.budget.cost_of(some, self.kernels.channel_sums).of(alike[1])
        refusal = np.where(short, short, self._refused(plan, spent, who.budgets)).astype(np.uint8)
        rows = len(who)
        adapt = np.full(rows, session_macs(self.shapes, self.settings), np.int64)
        cost = replace(
            Cost.zero(rows),
            macs=spent.macs,
            bitops=spent.bitops,
            adapt_macs=adapt,
            peak_memory_bytes=spent.peak_memory_bytes,
            model_bytes=spent.model_bytes,
        )
        bits = spent.weight_bits / self.shapes.weights
        return Turn(Ragged.empty(rows), refusal, cost, bits, self.scored(states, model.item, alike and alike[1]))

    def _bought(self, model: Model, numbers: Tensor, granted: Budgets) -> tuple[Tensor, Codes]:
        """Return the plans [D, C] that phones buy of those that they hold, and which budget the smallest one breaks, [D], 0 for none."""
        assert model.worth is not None
        limits, lowest = self.budget.limits(granted, self.settings.bits), self.settings.lowest
        bought = self.kernels.allocate(model.worth[numbers], self.budget.costs(), limits, lowest)
        plan = torch.where(bought.refused[:, None], lowest, bought.codes).to(torch.uint8)
        return plan, np.where(bought.refused.numpy(), bought.binding.numpy() + 1, 0).astype(np.uint8)

    def scored(self, states: Tensor, item: Tensor, place: Ints | None = None) -> npt.NDArray[np.float32] | Scorer:
        """Return the scores that last states give (`clients.half.Device.score`), joined with the cloud's order where asked for."""
        return Fused(Products(states, item, self.kernels, place)) if self.settings.fuse else self.score(states, item, place)

    def _states(self, model: Model, plan: Tensor, items: Tensor, told: Tensor | None = None) -> Tensor:
        """Return the last states [D, d] of phones with these plans [D, C] and as much of their histories as the extractor reads.

        ``told`` [D, d] joins their inputs.
        """
        layers, config = self.shapes.layers, self.context.backbone
        bits, user = self.settings.activation_bits, self._joined(model, items)
        user = told if user is None else user if told is None else user + told
        items = items[:, -config.max_len :]
        if bits == 32 and self.kernels.compiles(config):
            return self.kernels.last_states(items, model.item, model.position, gather(model.tables, plan, layers), config, user)
        room = room_for(min(BLOCK, len(items)), layers)

        def last(rows: slice) -> Tensor:
            weights = gather(model.tables, plan[rows].long(), layers, room)
            mine = None if user is None else user[rows]
            return last_states(items[rows], model.item, model.position, fed(weights, bits), config, mine)

        return in_blocks(len(items), last)

    def _read(self, codes: Tensor, granted: Budgets) -> Tensor:
        """Return what the phones make of the codes that came: precisions, or importance that they turn into precisions."""
        return codes if self.settings.decode == "cloud" else decode(codes, self.settings.lowest, self.budget, granted)

    def _refused(self, plan: Tensor, spent: PlanCost, granted: Budgets) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Return which budget each plan breaks; a phone that decodes answers for the bits too, since no cloud did."""
        if self.settings.decode == "device":
            return breaks(plan, self.budget, granted)
        return refusals(spent.peak_memory_bytes, spent.macs, granted)
