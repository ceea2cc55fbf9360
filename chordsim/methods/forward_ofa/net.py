"""Forward-OFA: the phone's choice of blocks, the vector that asks for them, and the hypernetworks that write them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.arrays import Bools, Ints
from chordsim.methods import MethodContext
from chordsim.nets import sasrec
from chordsim.nets.draws import draw_parameters
from chordsim.nets.extractor import Gru
from chordsim.nets.joined import join
from chordsim.nets.recommender import Dense
from chordsim.nets.sasrec import PER_BLOCK
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.ragged import Ragged

#: Temperature of the choice of blocks at the first step of training and when it has cooled. Trainings end when validation says so, so
#: cooling is told in steps of its own.
WARM, COLD = 1.0, 0.3


class Controller(nn.Module):
    """Structure controller and structure-conditioned encoder, both on the phone.

    What is asked for depends on the blocks that will run: the structural vector is a projection of the one-hot structure after budgets
    have dropped what does not fit.
    """

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        dim, self.blocks = shapes.backbone.dim, shapes.backbone.blocks
        self.reader = Gru(dim, dim)
        self.policy = nn.ModuleDict({"head": nn.Linear(dim, 2 * self.blocks)})
        self.structural = nn.Linear(2 * self.blocks, dim)
        self.encoder = nn.Linear(2 * dim, dim)

    def forward(self, items: Tensor, item_table: Tensor) -> tuple[Tensor, Tensor]:
        """Return skip-or-keep logits [D, blocks, 2] and the interest [D, d] of item ids [D, L]."""
        interest = self.reader(items, item_table)
        return self.policy["head"](interest).view(-1, self.blocks, 2), interest

    def asks(self, interest: Tensor, kept: Tensor) -> Tensor:
        """Return the structure-related interest [D, d] that asks for blocks, where ``kept`` [D, blocks], 0 or 1, will run."""
        structure = torch.stack([1 - kept, kept], -1).flatten(1)
        asked = self.encoder(torch.cat([interest, self.structural(structure)], 1))
        return F.layer_norm(F.relu(asked), asked.shape[1:])

    def macs(self) -> int:
        """Multiply-accumulates of one user."""
        dense = sum(p.numel() for n, p in self.named_parameters() if p.ndim == 2 and not n.startswith("reader"))
        return self.reader.macs() + dense


def controller_size(shapes: Shapes) -> tuple[int, int]:
    """Return (parameters, multiply-accumulates per user) without drawing weights."""
    with torch.device("meta"):
        made = Controller(shapes)
    return sum(p.numel() for p in made.parameters()), made.macs()


def block_weights(shapes: Shapes) -> int:
    """Return how many weights one block has."""
    return sum(n.channels * n.fan_in for n in shapes.layers[:PER_BLOCK])


def block_macs(shapes: Shapes) -> Ints:
    """Return multiply-accumulates of each block in one request: its products and its attention, [blocks]."""
    config = shapes.backbone
    out = []
    for b in range(config.blocks):
        layers = shapes.layers[PER_BLOCK * b : PER_BLOCK * (b + 1)]
        out.append(sum(n.channels * n.fan_in * n.positions for n in layers) + 2 * layers[0].positions * config.max_len * config.dim)
    return np.array(out, np.int64)


def drop(kept: Bools, chance: np.ndarray, macs: Ints, weight_bytes: int, room_macs: Ints, room_bytes: Ints) -> Bools:
    """Return the kept blocks after dropping the least likely ones until a phone's budgets hold.

    Args:
        kept: What the controller keeps, [D, blocks].
        chance: Its probability of keeping, [D, blocks].
        macs: Operations of each block, [blocks].
        weight_bytes: Bytes of one block.
        room_macs: Operations that each phone leaves for blocks, [D].
        room_bytes: Bytes likewise, [D].
    """
    kept = kept.copy()
    for _ in range(macs.size):
        over = (kept @ macs > room_macs) | (kept.sum(1) * weight_bytes > room_bytes)
        weakest = np.where(kept, chance, np.inf).argmin(1)
        rows = np.flatnonzero(over & kept.any(1))
        kept[rows, weakest[rows]] = False
    return kept


def flag_bytes(blocks: int) -> int:
    """Return the bytes that say which blocks are kept."""
    return -(-blocks // 8)


def pack_kept(kept: Bools) -> np.ndarray:
    """Return flags [D, blocks] as bytes, lowest bits first."""
    return np.packbits(kept, axis=1, bitorder="little")


def unpack_kept(packed: np.ndarray, blocks: int) -> tuple[Bools, Bools]:
    """Return flags [D, blocks] and which rows have no stray bits [D]."""
    bits = np.unpackbits(packed, axis=1, bitorder="little").astype(np.bool_)
    return bits[:, :blocks], np.asarray(~bits[:, blocks:].any(axis=1), np.bool_)


def pack_blocks(kept: Bools, values: np.ndarray) -> Ragged:
    """Return flags and the float32 values [D, blocks, n] of kept blocks alone, one row per phone."""
    flags = pack_kept(kept)
    return Ragged.of_rows(flags[d].tobytes() + values[d, kept[d]].astype("<f4").tobytes() for d in range(len(kept)))


def unpack_blocks(rows: Ragged, blocks: int, numbers: int) -> tuple[Bools, Tensor, Bools]:
    """Return kept flags [D, blocks], values [D, blocks, numbers] (zero where skipped) and sound rows [D]. Total."""
    kept, sound = np.zeros((len(rows), blocks), np.bool_), np.zeros(len(rows), np.bool_)
    values, first = np.zeros((len(rows), blocks, numbers), np.float32), flag_bytes(blocks)
    for d, row in enumerate(rows):
        if len(row) < first:
            continue
        flags, clean = unpack_kept(np.frombuffer(row[:first], np.uint8)[None], blocks)
        if not clean[0] or len(row) != first + 4 * numbers * int(flags.sum()):
            continue
        told = np.frombuffer(row[first:], "<f4").reshape(-1, numbers)
        if np.isfinite(told).all():
            kept[d], values[d, flags[0]], sound[d] = flags[0], told, True
    return kept, torch.from_numpy(values), sound


def weights_of(values: Tensor, shapes: Shapes) -> list[Tensor]:
    """Return per layer weights [D, C, K] of block values [D, blocks, n]; a block of zeros passes its input on unchanged."""
    out: list[Tensor] = []
    for b in range(shapes.backbone.blocks):
        layers = shapes.layers[PER_BLOCK * b : PER_BLOCK * (b + 1)]
        parts = torch.split(values[:, b], [n.channels * n.fan_in for n in layers], 1)
        out += [part.view(-1, n.channels, n.fan_in) for part, n in zip(parts, layers, strict=True)]
    return out


class Writer(nn.Module):
    """The parallel hypernetworks: from interests to the user part U V^T of every layer."""

    def __init__(self, shapes: Shapes, rank: int) -> None:
        super().__init__()
        self.layers, self.rank = shapes.layers, rank
        dim = shapes.backbone.dim
        self.rows = nn.ModuleList(nn.ModuleDict({"head": nn.Linear(dim, n.channels * rank)}) for n in shapes.layers)
        self.columns = nn.ModuleList(nn.Linear(dim, n.fan_in * rank) for n in shapes.layers)

    def forward(self, interest: Tensor, base: list[Tensor]) -> list[Tensor]:
        """Return weights [D, C, K] per layer."""
        out = []
        for layer, row, column, shared in zip(self.layers, self.rows, self.columns, base, strict=True):
            assert isinstance(row, nn.ModuleDict)
            left = row["head"](interest).view(-1, layer.channels, self.rank)
            right = column(interest).view(-1, layer.fan_in, self.rank)
            out.append(shared + left @ right.transpose(1, 2) / (self.rank * layer.fan_in) ** 0.5)
        return out

    def macs(self) -> int:
        """Multiply-accumulates of all blocks of one user."""
        heads = sum(p.numel() for p in self.parameters() if p.ndim == 2)
        return heads + self.rank * sum(n.channels * n.fan_in for n in self.layers)


class ForwardOfa(Dense):
    """Controller and hypernetworks, trained together."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        s = context.settings
        self.horizon, self.budget, self.cost_weight = int(s["horizon"]), float(s["budget"]), float(s["cost_weight"])
        self.steps, self.cooling = 0, max(min(int(s["cooling"]), context.training.max_steps), 1)
        self.controller, self.writer = Controller(shapes), Writer(shapes, int(s["rank"]))
        draw_parameters(self.controller, self.generator)
        draw_parameters(self.writer, self.generator)
        with torch.no_grad():
            head = self.controller.policy["head"]
            assert isinstance(head, nn.Linear)
            head.bias[1::2] = 1.0  # begin with keeping
        macs = torch.from_numpy(block_macs(shapes)).float()
        self.cost = macs / macs.sum()

    def between_steps(self) -> dict[str, Tensor]:
        """Return how many steps the temperature has fallen for."""
        return {"steps": torch.tensor(self.steps)}

    def go_on(self, kept: dict[str, Tensor]) -> None:
        """Put it back."""
        self.steps = int(kept["steps"])

    def gated(self, interest: Tensor, kept: Tensor) -> list[Tensor]:
        """Return weights [D, C, K] with both outputs of skipped blocks at zero; ``kept`` is 0 or 1, [D, blocks]."""
        weights: list[Tensor] = self.writer(interest, list(self.weights))
        for b in range(self.shapes.backbone.blocks):
            for place in (3, 5):
                weights[sasrec.PER_BLOCK * b + place] = weights[sasrec.PER_BLOCK * b + place] * kept[:, b, None, None]
        return weights

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; structure and weights come from `windows.history` alone.

        Each user has room for a number of blocks that is drawn anew, as phones have; what does not fit is dropped as they drop it.
        """
        logits, interest = self.controller(windows.history, self.item)
        self.steps += 1
        heat = max(COLD, WARM - (WARM - COLD) * self.steps / self.cooling)
        noise = -torch.log(-torch.log(torch.rand(logits.shape, generator=generator).clamp(1e-9, 1 - 1e-7)))
        soft = F.softmax((logits + noise) / heat, -1)[..., 1]
        blocks = self.shapes.backbone.blocks
        room = torch.randint(1, blocks + 1, (soft.shape[0], 1), generator=generator)
        place = soft.detach().argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        hard = ((soft > 0.5) & (place < room)).float()
        kept = hard + (soft - soft.detach())
        states = self.run(windows.inputs, self.gated(self.controller.asks(interest, kept), kept), dropout, generator)
        expected = F.softmax(logits, -1)[..., 1] @ self.cost
        return join(states, self.cost_weight * F.relu(expected / self.budget - 1).mean())

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's structure, budgets aside."""
        shipped = self.item_as_shipped()
        logits, interest = self.controller(items, shipped)
        kept = (logits[..., 1] > logits[..., 0]).float()
        weights = self.gated(self.controller.asks(interest, kept), kept)
        return sasrec.forward(items, sasrec.embed(items, shipped, self.position), weights, self.shapes.backbone)
