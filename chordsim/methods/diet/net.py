"""DIET's masks: which weights of the shared frozen backbone a user's phone keeps, their bytes, and the network that makes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chordsim.arrays import Bools, Bytes
from chordsim.methods import MethodContext
from chordsim.nets import extractor
from chordsim.nets.backbone import last_states
from chordsim.nets.draws import draw_parameters
from chordsim.nets.frozen import draw
from chordsim.nets.layers import Layer
from chordsim.nets.recommender import Recommender
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.ragged import Ragged

#: Of the part of a layer's scores that is the user's own, and how far it may lead from the shared part (inference).
RANK, OWN_BOUND = 4, 2.0
#: Deviation of the shared part at the start. Beside an own part that is as large, each user begins with an unrelated random network,
#: and no training finds one that serves them all.
BASE_STD = 1.0

#: Which layer of the same block feeds each layer; the first of a block reads what the block before wrote.
_FEEDS = {"output": "value", "feed_in": "output", "feed_out": "feed_in"}


def sources(layers: tuple[Layer, ...]) -> list[int | None]:
    """Return for every layer the layer whose channels are its inputs, None where the inputs are embeddings."""
    places = {layer.name: n for n, layer in enumerate(layers)}
    out: list[int | None] = []
    for layer in layers:
        block, _, part = layer.name.rpartition(".")
        number = int(block.removeprefix("block")) if block.removeprefix("block").isdigit() else 0
        name = f"{block}.{_FEEDS[part]}" if part in _FEEDS else f"block{number - 1}.feed_out"
        found = places.get(name)
        out.append(found if found is not None and layers[found].channels == layer.fan_in else None)
    return out


def top(scores: Tensor, keep: float) -> Tensor:
    """Return the mask [D, C, K] of the best ``keep`` share of each phone's scores in one layer, as 0 and 1."""
    flat = scores.flatten(1)
    count = max(round(flat.shape[1] * keep), 1)
    # Ties at the edge are all kept: a mask is a function of the scores alone. Partitioning takes a third of what `kthvalue` does.
    at = flat.shape[1] - count
    edge = torch.from_numpy(np.partition(flat.detach().numpy(), at, axis=1)[:, at : at + 1].copy())
    return (flat >= edge).to(scores.dtype).view_as(scores)


class _Kept(torch.autograd.Function):
    """The mask of `top`, through which gradients pass to the scores as they are (straight-through estimator)."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, keep: float) -> Tensor:
        """Return `top` of scores."""
        return top(scores, keep)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Hand gradients on."""
        return upstream[0], None


def masked(frozen: Sequence[Tensor], masks: Sequence[Tensor], keep: float, gains: Sequence[Tensor] = ()) -> list[Tensor]:
    """Return each phone's weights [D, C, K]: the frozen ones under its mask, rescaled to keep their variance.

    Args:
        frozen: Per layer [C, K].
        masks: Per layer [D, C, K], 0 or 1.
        keep: The share that masks keep.
        gains: Learnt scales of channels by layer, [C, 1]; none for none.
    """
    scales = gains or [torch.ones(())] * len(frozen)
    return [weight * gain * (mask * (1 / math.sqrt(keep))) for weight, mask, gain in zip(frozen, masks, scales, strict=True)]


def mask_bytes(shapes: Shapes) -> int:
    """Return the payload of one mask: a bit per weight."""
    return -(-shapes.weights // 8)


def pack(masks: list[Tensor]) -> Bytes:
    """Return masks [D, C, K] per layer as bytes [D, mask_bytes], lowest bits first."""
    flat = torch.cat([mask.flatten(1) for mask in masks], 1).numpy().astype(np.uint8)
    return np.packbits(flat, axis=1, bitorder="little")


def unpack(rows: Ragged, shapes: Shapes) -> tuple[list[Tensor], Bools]:
    """Return masks [D, C, K] per layer and which rows [D] are sound; others keep nothing. Total."""
    packed, fits = rows.matrix(mask_bytes(shapes))
    bits = np.unpackbits(packed, axis=1, bitorder="little")
    sound = fits & ~bits[:, shapes.weights :].any(axis=1)
    bits[~sound] = 0
    flat = torch.from_numpy(bits[:, : shapes.weights].astype(np.float32))
    parts = torch.split(flat, [n.channels * n.fan_in for n in shapes.layers], 1)
    return [part.view(-1, n.channels, n.fan_in) for part, n in zip(parts, shapes.layers, strict=True)], sound


class Generator(nn.Module):
    """From user embeddings to corrected element scores of every layer.

    The shared part is N(0, 1) at the start, the user's own a product of rank 4 whose factors lie in -1 to 1 and which starts at about a
    tenth of that, and filter importances are 1 + tanh(.), so that they start near one and never turn a score around.
    """

    def __init__(self, shapes: Shapes, width: int) -> None:
        super().__init__()
        self.layers = shapes.layers
        self.base = nn.ParameterList(torch.empty(n.channels, n.fan_in) for n in self.layers)
        self.rows = nn.ModuleList(nn.Linear(width, n.channels * RANK) for n in self.layers)
        self.columns = nn.ModuleDict({str(n): _head(width, layer.fan_in * RANK) for n, layer in enumerate(self.layers)})
        self.filters = nn.ModuleDict({str(n): _head(width, layer.channels) for n, layer in enumerate(self.layers)})
        self.sources = sources(self.layers)

    def forward(self, user: Tensor) -> list[Tensor]:
        """Return scores [D, C, K] per layer for users [D, width]."""
        importance = [1 + torch.tanh(self.filters[str(n)](user)) for n in range(len(self.layers))]
        out = []
        for n, (layer, base) in enumerate(zip(self.layers, self.base, strict=True)):
            left = torch.tanh(self.rows[n](user)).view(-1, layer.channels, RANK)
            right = torch.tanh(self.columns[str(n)](user)).view(-1, layer.fan_in, RANK)
            score = torch.sigmoid(torch.baddbmm(base, left, right.transpose(1, 2), alpha=OWN_BOUND / RANK)) * importance[n][:, :, None]
            source = self.sources[n]
            out.append(score if source is None else score * importance[source][:, None, :])
        return out

    def macs(self) -> int:
        """Multiply-accumulates of one mask."""
        heads = sum(p.numel() for name, p in self.named_parameters() if name.endswith("weight"))
        return heads + sum(n.channels * n.fan_in for n in self.layers) * (RANK + 2)


def _head(width: int, count: int) -> nn.Sequential:
    made = nn.Sequential()
    made.add_module("head", nn.Linear(width, count))
    return made


class Diet(Recommender):
    """The frozen backbone under masks that a generator makes from what came before the targets.

    With ``backbone.init = "trained"`` the backbone is the reference's, which whoever starts a training puts in place; it is then part
    of the state.
    """

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed, "train.diet.init")
        s = context.settings
        self.horizon, self.keep = int(s["horizon"]), float(s["keep"])
        self.drawn = draw(shapes.layers, context.seed, str(s["law"]))
        self.owned = shapes.backbone.init == "trained"
        if self.owned:
            for n, layer in enumerate(shapes.layers):
                self.register_buffer(f"source_{n}", torch.zeros(layer.channels, layer.fan_in))
        self.gains = nn.ParameterList(torch.ones(n.channels, 1) for n in shapes.layers if s["gains"])
        self.extractor = extractor.build(s["extractor"], shapes.backbone.dim, int(s["profile_dim"]))
        self.generator_net = Generator(shapes, int(s["profile_dim"]))
        draw_parameters(self.extractor, self.generator)
        draw_parameters(self.generator_net, self.generator)
        for base in self.generator_net.base:
            nn.init.normal_(base, std=BASE_STD, generator=self.generator)

    @property
    def frozen(self) -> list[Tensor]:
        """The weights that masks are put over, per layer [C, K]."""
        return [getattr(self, f"source_{n}") for n in range(len(self.drawn))] if self.owned else self.drawn

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return embeddings, extractor and gains at one rate, hypernetworks at the other."""
        slow = [self.item, self.position, *self.extractor.parameters(), *self.gains]
        return [{"params": slow, "lr": lr}, {"params": list(self.generator_net.parameters()), "lr": plan_lr}]

    def masks(self, user: Tensor) -> list[Tensor]:
        """Return each user's masks [D, C, K], exactly 0 or 1; gradients pass to the scores."""
        return [_Kept.apply(score, self.keep) for score in self.generator_net(user)]  # type: ignore[no-untyped-call]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; masks come from `windows.history` alone."""
        user = self.extractor(windows.history, self.item)
        return self.run(windows.inputs, masked(self.frozen, self.masks(user), self.keep, list(self.gains)), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's own mask."""
        shipped = self.item_as_shipped()
        weights = masked(self.frozen, self.masks(self.extractor(items, shipped)), self.keep, list(self.gains))
        return last_states(items, shipped, self.position, weights, self.shapes.backbone)
