"""CoCorrRec's layer, whose weights learn at test time in closed form, no autograd, and the network that corrects it.

One gradient step per mini-batch: the inner model is linear, Z = K W + b, with the loss eta / 2 |LN(Z) - (V - K)|^2. Its
gradient has a closed form, and with tril(.) over a mini-batch every position sees exactly the steps of the positions
before it and its own: output = Q + LN(Q W - (eta tril(Q K^T)) grad + b - tril(eta) grad). The rate of a step is that of the position
that takes it times a learnt rate of the place that reads it, which starts at 1 / (place in the mini-batch).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.methods import MethodContext
from chordsim.nets import sasrec
from chordsim.nets.draws import draw_parameters
from chordsim.nets.dropout import dropped
from chordsim.nets.recommender import Recommender
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows

HEADS, MINI_BATCH, BASE_RATE, EPSILON = 4, 10, 1.0, 1e-6


@dataclass(frozen=True)
class Correction:
    """The cloud's correction of the last mini-batch: attention [D, H, m, m] and bias [D, H, m, d / H]."""

    attention: Tensor
    bias: Tensor


def correction_numbers(dim: int) -> int:
    """Return how many numbers one correction has."""
    return HEADS * MINI_BATCH * MINI_BATCH + MINI_BATCH * dim


def states_read(max_len: int) -> int:
    """Return how many hidden states the cloud reads: a mini-batch, or all of a shorter window."""
    return min(MINI_BATCH, max_len)


def split_correction(values: Tensor, dim: int) -> Correction:
    """Return the two parts of flat numbers [D, correction_numbers]."""
    cut = HEADS * MINI_BATCH * MINI_BATCH
    attention = values[:, :cut].view(-1, HEADS, MINI_BATCH, MINI_BATCH)
    return Correction(attention, values[:, cut:].view(-1, HEADS, MINI_BATCH, dim // HEADS))


def inner_gradient(z: Tensor, target: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Return d/dZ of 1/2 |LN(Z) - target|^2 for rows [..., n], the layer norm's own gradient included."""
    n = z.shape[-1]
    centred = z - z.mean(-1, keepdim=True)
    std = (centred.square().mean(-1, keepdim=True) + EPSILON).sqrt()
    hat = centred / std
    grad = (hat * gain + offset - target) * gain
    return (n * grad - grad.sum(-1, keepdim=True) - hat * (grad * hat).sum(-1, keepdim=True)) / (n * std)


class SelfCorrection(nn.Module):
    """One layer: test-time training over mini-batches, then a feed-forward; residual, pre-norm."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        dim, ffn = shapes.backbone.dim, shapes.backbone.ffn_dim
        self.dim, self.width = dim, dim // HEADS
        self.query, self.key, self.value, self.output = (nn.Parameter(torch.zeros(dim, dim)) for _ in range(4))
        self.feed_in, self.feed_out = nn.Parameter(torch.zeros(ffn, dim)), nn.Parameter(torch.zeros(dim, ffn))
        self.rate = nn.Parameter(torch.zeros(HEADS, dim))
        self.token = nn.Parameter(1 / torch.arange(1.0, MINI_BATCH + 1))
        self.fast = nn.Parameter(torch.zeros(HEADS, self.width, self.width))
        self.fast_bias = nn.Parameter(torch.zeros(HEADS, 1, self.width))
        self.gain, self.offset = nn.Parameter(torch.ones(HEADS, 1, self.width)), nn.Parameter(torch.zeros(HEADS, 1, self.width))
        # How much the cloud's correction counts, as in the authors' code: 0 for attention, 0.25 for the bias.
        self.trust = nn.Parameter(torch.tensor([0.0, 0.25]))

    def forward(self, items: Tensor, states: Tensor, correction: Correction | None = None) -> Tensor:
        """Return final states [D, L, d] of input states [D, L, d]; ids [D, L] say what is padding."""
        rows, length, _ = states.shape
        short = -length % MINI_BATCH
        normal = F.layer_norm(F.pad(states, (0, 0, short, 0)), (self.dim,))
        real = F.pad(items > 0, (short, 0)).float()
        q, k, v = (self._heads(normal @ w.T) for w in (self.query, self.key, self.value))
        eta = BASE_RATE / self.width * torch.sigmoid(normal @ self.rate.T).transpose(1, 2) * real[:, None]
        out, fast, bias = [], self.fast.expand(rows, -1, -1, -1), self.fast_bias.expand(rows, -1, -1, -1)
        count = normal.shape[1] // MINI_BATCH
        for n in range(count):
            at = slice(n * MINI_BATCH, (n + 1) * MINI_BATCH)
            mine = correction if n == count - 1 else None
            made, fast, bias = self.mini_batch(q[:, :, at], k[:, :, at], v[:, :, at], eta[:, :, at], fast, bias, mine)
            out.append(made)
        mixed = torch.cat(out, 2).transpose(1, 2).reshape(rows, -1, self.dim)[:, short:]
        states = states + mixed @ self.output.T
        states = states + F.relu(F.layer_norm(states, (self.dim,)) @ self.feed_in.T) @ self.feed_out.T
        return F.layer_norm(states, (self.dim,))

    def mini_batch(
        self, q: Tensor, k: Tensor, v: Tensor, eta: Tensor, fast: Tensor, bias: Tensor, correction: Correction | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return outputs [D, H, m, w] and the fast weights and bias after the mini-batch's step."""
        grad = inner_gradient(k @ fast + bias, v - k, self.gain, self.offset)
        stepped = eta.unsqueeze(-1) * grad
        attention = (q @ k.transpose(-1, -2)).tril()
        token = self.token.clamp_min(0.0)
        moved = bias - token[:, None] * stepped.cumsum(2)
        if correction is not None:
            attention = attention + self.trust[0] * _like(correction.attention, attention).tril()
            moved = moved + self.trust[1] * _like(correction.bias, moved)
        z = q @ fast - token[:, None] * (attention @ stepped) + moved
        out = q + F.layer_norm(z, (self.width,), eps=EPSILON) * self.gain + self.offset
        last = stepped * token[-1]
        return out, fast - k.transpose(-1, -2) @ last, bias - last.sum(2, keepdim=True)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], HEADS, self.width).transpose(1, 2)


def _like(correction: Tensor, own: Tensor) -> Tensor:
    """Return the correction standardised, then scaled to the device tensor's own mean and deviation.

    Both are taken position by position: over a whole mini-batch they would tell a position about later ones.
    """
    mean, std = correction.mean(-1, keepdim=True), correction.std(-1, keepdim=True) + EPSILON
    return (correction - mean) / std * own.std(-1, keepdim=True) + own.mean(-1, keepdim=True)


def layer_size(shapes: Shapes) -> int:
    """Return the numbers of the layer."""
    dim, ffn = shapes.backbone.dim, shapes.backbone.ffn_dim
    return 4 * dim * dim + 2 * dim * ffn + HEADS * dim + dim * dim // HEADS + 3 * dim + 2 + MINI_BATCH


def layer_macs(shapes: Shapes) -> int:
    """Return multiply-accumulates of one request: every position moves the fast weights, the last one is read."""
    config = shapes.backbone
    d, width = config.dim, config.dim // HEADS
    step = 2 * d * d + HEADS * d + 2 * d * width
    read = 2 * d * d + 2 * d * config.ffn_dim + d * width + 2 * MINI_BATCH * d
    return config.max_len * step + read + shapes.n_items * d


class Trunk(nn.Module):
    """A GRU over hidden states, then three bias-free layers."""

    def __init__(self, dim: int, numbers: int) -> None:
        super().__init__()
        self.reader = nn.GRU(dim, dim, batch_first=True)
        self.layers = nn.ModuleList(nn.Linear(dim, n, bias=False) for n in (dim, dim, numbers))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return one correction [D, numbers] of hidden states [D, m, d]."""
        _, last = self.reader(hidden)
        x = last[0]
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]

    def macs(self, read: int) -> int:
        """Multiply-accumulates of one correction from so many hidden states."""
        gru = read * sum(p.numel() for p in self.reader.parameters() if p.ndim == 2)
        return gru + sum(p.numel() for p in self.layers.parameters())


class CorrectionNetwork(nn.Module):
    """The cloud's two networks: one corrects attention, one the bias."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        of_attention = HEADS * MINI_BATCH * MINI_BATCH
        self.attention, self.bias = Trunk(dim, of_attention), Trunk(dim, correction_numbers(dim) - of_attention)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return flat corrections [D, numbers] of hidden states [D, m, d]."""
        return torch.cat([self.attention(hidden), self.bias(hidden)], 1)

    def macs(self, read: int) -> int:
        """Multiply-accumulates of one correction from so many hidden states."""
        return self.attention.macs(read) + self.bias.macs(read)


class CoCorrRec(Recommender):
    """The layer on the phone and the network on the cloud, trained together."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed, "train.cocorrrec.init")
        self.horizon = MINI_BATCH
        self.layer, self.cloud = SelfCorrection(shapes), CorrectionNetwork(shapes.backbone.dim)
        for name, p in self.layer.named_parameters():
            if name in ("query", "key", "value", "output", "feed_in", "feed_out", "rate"):
                nn.init.normal_(p, std=p.shape[1] ** -0.5, generator=self.generator)
            elif name == "fast":
                nn.init.normal_(p, std=0.02, generator=self.generator)
        draw_parameters(self.cloud, self.generator)

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return one group."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def correction(self, hidden: Tensor) -> Correction:
        """Return the correction for hidden states [D, m, d]."""
        return split_correction(self.cloud(hidden), self.shapes.backbone.dim)

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; the correction comes from `windows.history` alone."""
        hidden = sasrec.embed(windows.history, self.item, self.position)[:, -MINI_BATCH:]
        states = sasrec.embed(windows.inputs, self.item, self.position)
        return self.layer(windows.inputs, dropped(states, dropout, generator), self.correction(hidden))  # type: ignore[no-any-return]

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d], corrected."""
        states = sasrec.embed(items, self.item_as_shipped(), self.position)
        return self.layer(items, states, self.correction(states[:, -MINI_BATCH:]))[:, -1]  # type: ignore[no-any-return]
