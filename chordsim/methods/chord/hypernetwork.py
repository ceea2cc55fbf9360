"""CHORD's three levels of importance, from a user embedding to the utility of every precision of every channel; and ours.

Source: CHORD (arXiv 2510.03038), figure 2 (b) to (d). Published: a filter-level and an element-level hypernetwork for each
layer and one layer-level hypernetwork read the user's embedding; element importance reconstructs the filters', and the layers'
importance weighs the result. The operators, the ranks and the utility are inference: no source gives them.

For one user with embedding e, layer l of L, channel c of the layer and its input k, with z = relu(layernorm(T e)):

    layer     a[l]    = L softmax(H z)[l]                                    1 on average
    filter    f[c]    = softplus(F z)[c]
    element   A[c,k]  = sigmoid(U V^T)[c,k]                                  U and V of rank 4, both linear in z
    joined    g[c]    = f[c] sum_k A[c,k] |W[c,k]| / sum_k |W[c,k]|          the share of the channel's weight that matters
              s[c]    = a[l] g[c]
              S[c]    = log s[c], standardised over the user's channels and clamped to -3 .. 3
    utility   u[c,b]  = exp(S[c]) (q[c,1] - q[c,b])

W are the frozen weights, q[c,b] is the relative error of rounding channel c at code b: a code is worth what it saves over code 1.
A level that is off counts as 1 (the ablation). What a phone's budgets buy of these utilities is the allocator's business
(`chordsim.quant.allocate`); how they are trained stands in `chordsim.methods.chord.network`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.nets.elements import Weigh, weighed
from chordsim.nets.shapes import Shapes
from chordsim.quant.plan import split_channels

HIDDEN = 128
ELEMENT_RANK = 4
#: What S is clamped to, and how far a user's residual may lead from the base.
SCORE_BOUND, RESIDUAL_BOUND = 3.0, 4.0
#: Users whose utilities are made together where nothing is learnt.
BLOCK = 32


@dataclass(frozen=True)
class Importance:
    """What the three levels say of users.

    Attributes:
        layer: a of each layer, 1 on average, [D, L].
        filter: f of each channel, [D, C].
        element: A of each weight by layer, 0 to 1, [D, C, K].
    """

    layer: Tensor
    filter: Tensor
    element: list[Tensor]


class ThreeLevel(nn.Module):
    """CHORD's three levels of importance, as the equations above have them."""

    def __init__(self, shapes: Shapes, width: int, magnitudes: list[Tensor], errors: Tensor, levels: tuple[str, ...]) -> None:
        """Lay out the three levels.

        Args:
            shapes: The backbone.
            width: Size of the user embedding.
            magnitudes: Per layer |W| [C, K] of the frozen weights.
            errors: Relative rounding error of each channel at codes 0 to 3, [C, 4].
            levels: Which of ``layer``, ``filter``, ``element`` are on.
        """
        super().__init__()
        self.shapes, self.levels = shapes, levels
        self.trunk = nn.Linear(width, HIDDEN)
        self.layer = nn.Linear(HIDDEN, len(shapes.layers))
        self.filter = nn.Linear(HIDDEN, shapes.channels)
        self.rows = nn.ModuleList(nn.Linear(HIDDEN, n.channels * ELEMENT_RANK) for n in shapes.layers)
        self.columns = nn.ModuleList(nn.Linear(HIDDEN, n.fan_in * ELEMENT_RANK) for n in shapes.layers)
        self._shares = [m / m.sum(1, keepdim=True).clamp_min(1e-12) for m in magnitudes]
        self._saved = errors[:, 1:2] - errors
        #: What weighs elements: the reference, or what takes less time; set by the caller.
        self.weigh: Weigh = weighed

    def forward(self, user: Tensor) -> Tensor:
        """Return utilities [D, C, 4] of user embeddings [D, width]."""
        z, layers = self._read(user), self.shapes.layers
        parts = list(split_channels(self._filters(z), layers))
        if "element" in self.levels:
            parts = [
                part * self.weigh(left, right, share)
                for part, (left, right), share in zip(parts, self._factors(z), self._shares, strict=True)
            ]
        if "layer" in self.levels:
            weight = self._layers(z)
            parts = [part * weight[:, n : n + 1] for n, part in enumerate(parts)]
        log = torch.cat(parts, 1).clamp_min(1e-9).log()
        standard = (log - log.mean(1, keepdim=True)) / (log.std(1, keepdim=True) + 1e-6)
        return standard.clamp(-SCORE_BOUND, SCORE_BOUND).exp().unsqueeze(-1) * self._saved

    def importance(self, user: Tensor) -> Importance:
        """Return the three levels of users with embeddings [D, width], as the equations have them before they are joined."""
        z = self._read(user)
        if "element" in self.levels:
            element = [torch.sigmoid(left @ right.transpose(1, 2)) for left, right in self._factors(z)]
        else:
            element = [torch.ones(z.shape[0], layer.channels, layer.fan_in) for layer in self.shapes.layers]
        return Importance(self._layers(z), self._filters(z), element)

    def _read(self, user: Tensor) -> Tensor:
        return F.relu(F.layer_norm(self.trunk(user), (HIDDEN,)))

    def _layers(self, z: Tensor) -> Tensor:
        count = len(self.shapes.layers)
        return torch.softmax(self.layer(z), 1) * count if "layer" in self.levels else torch.ones(z.shape[0], count)

    def _filters(self, z: Tensor) -> Tensor:
        return F.softplus(self.filter(z)) if "filter" in self.levels else torch.ones(z.shape[0], self.shapes.channels)

    def _factors(self, z: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield U [D, C, rank] and V [D, K, rank] of each layer."""
        for layer, row, column in zip(self.shapes.layers, self.rows, self.columns, strict=True):
            yield row(z).view(-1, layer.channels, ELEMENT_RANK), column(z).view(-1, layer.fan_in, ELEMENT_RANK)

    def macs(self) -> int:
        """Multiply-accumulates of one plan."""
        dense = sum(p.numel() for n, p in self.named_parameters() if n.endswith("weight"))
        return dense + self.shapes.weights * (ELEMENT_RANK + 1)


class BasePlusResidual(nn.Module):
    """Ours: a shared utility per (channel, precision) plus a bounded residual per user (prototype).

    u[c, k] = base[c, k] + layer[l, k] + 4 tanh((H z + H_l z)[c, k] / 4); without users the residual is absent and
    every phone gets one learnt plan.
    """

    def __init__(self, shapes: Shapes, width: int, *, personal: bool) -> None:
        super().__init__()
        self.shapes, self.personal = shapes, personal
        base = torch.zeros(shapes.channels, 4)
        base[:, 1] = 1.0
        self.base = nn.Parameter(base)
        self.layer = nn.Parameter(torch.zeros(len(shapes.layers), 4))
        self._of_layer = torch.cat([torch.full((n.channels,), i) for i, n in enumerate(shapes.layers)])
        if personal:
            self.channel_head = nn.Linear(width, shapes.channels * 4, bias=False)
            self.layer_head = nn.Linear(width, len(shapes.layers) * 4, bias=False)

    def forward(self, user: Tensor) -> Tensor:
        """Return utilities [D, C, 4] of user embeddings [D, width]."""
        shared = self.shared().unsqueeze(0)
        if not self.personal:
            return shared.expand(user.shape[0], -1, -1)
        heads = self.heads()
        if torch.is_grad_enabled():
            own = F.linear(user, heads).view(-1, self.shapes.channels, 4)
            return torch.add(shared, torch.tanh(own), alpha=RESIDUAL_BOUND)
        # A few users at a time and in place, so that their utilities stay in the nearest caches; the bound is a power of two, so the
        # sum is the same.
        out = torch.empty(user.shape[0], self.shapes.channels, 4)
        for rows, into in zip(torch.split(user, BLOCK), torch.split(out, BLOCK), strict=True):
            torch.mm(rows, heads.T, out=into.flatten(1))
            into.tanh_().mul_(RESIDUAL_BOUND).add_(shared)
        return out

    def heads(self) -> Tensor:
        """Return what user embeddings are multiplied by, over the bound, [4 C, width]: one pass over the users instead of two."""
        layers = self.layer_head.weight.view(len(self.shapes.layers), 4, -1)[self._of_layer].flatten(0, 1)
        return (self.channel_head.weight + layers) / RESIDUAL_BOUND

    def shared(self) -> Tensor:
        """Return what all users have in common, [C, 4]."""
        return self.base + self.layer[self._of_layer]

    def macs(self) -> int:
        """Multiply-accumulates of one plan."""
        return sum(p.numel() for n, p in self.named_parameters() if n.endswith("head.weight"))
