"""Feature extractors: what a phone computes over its cached item embeddings and sends up as the user embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.nets import blobs, embeddings
from chordsim.nets.embeddings import look_up
from chordsim.nets.kinds import EXTRACTORS
from chordsim.nets.reads import READS

GRU_STEPS = 20


class MeanPool(nn.Module):
    """LN(MLP[mean of the last 50 item embeddings ; mean of the last 8]): the prototype's best; or of means of other lengths."""

    def __init__(self, dim: int, width: int, reads: Sequence[int] = READS) -> None:
        super().__init__()
        self.reads = tuple(reads)
        self.inner = nn.Linear(len(self.reads) * dim, 2 * width)
        self.outer = nn.Linear(2 * width, width)

    def forward(self, items: Tensor, item_table: Tensor) -> Tensor:
        """Return the user embedding [D, width] of item ids [D, L], padded with 0 on the left."""
        pooled = []
        for span in self.reads:
            recent = items[:, -span:]
            count = (recent > 0).sum(1, keepdim=True).clamp_min(1)
            pooled.append(look_up(item_table, recent).sum(1) / count)
        hidden = F.relu(self.inner(F.layer_norm(torch.cat(pooled, 1), (len(self.reads) * item_table.shape[1],))))
        out = self.outer(hidden)
        return F.layer_norm(out, out.shape[-1:])

    def macs(self) -> int:
        """Multiply-accumulates of one user; adding up the last 50 items counts as nothing, each item before them as one for a number."""
        dim = self.inner.weight.shape[1] // len(self.reads)
        return self.inner.weight.numel() + self.outer.weight.numel() + max(*self.reads, READS[0]) * dim - READS[0] * dim


class Gru(nn.Module):
    """LN of the last state of a GRU over the last 20 items (inference: CHORD's figure shows a sequence extractor)."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.cell = nn.GRU(dim, width, batch_first=True)

    def forward(self, items: Tensor, item_table: Tensor) -> Tensor:
        """Return the user embedding [D, width] of item ids [D, L], padded with 0 on the left."""
        _, last = self.cell(look_up(item_table, items[:, -GRU_STEPS:]) * item_table.shape[1] ** 0.5)
        return F.layer_norm(last[0], last.shape[-1:])

    def macs(self) -> int:
        """Multiply-accumulates of one user."""
        return GRU_STEPS * sum(p.numel() for n, p in self.named_parameters() if "weight" in n)


def build(kind: str, dim: int, width: int, reads: Sequence[int] = READS) -> MeanPool | Gru:
    """Return an extractor; its weights are whatever the caller loads or initialises next.

    Args:
        kind: One of `chordsim.nets.kinds.EXTRACTORS`.
        dim: Of item embeddings.
        width: Of the user embedding.
        reads: How many of the last items each mean is of; of `mean` alone.
    """
    mean, _ = EXTRACTORS
    return MeanPool(dim, width, reads) if kind == mean else Gru(dim, width)


@lru_cache(maxsize=64)
def size(kind: str, dim: int, width: int, reads: tuple[int, ...] = READS) -> tuple[int, int]:
    """Return (parameters, multiply-accumulates per user) of an extractor, without drawing weights."""
    with torch.device("meta"):
        made = build(kind, dim, width, reads)
    return sum(p.numel() for p in made.parameters()), made.macs()


def part_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters of the extractor of a trained network, under their own names."""
    return {name.removeprefix("extractor."): value for name, value in state.items() if name.startswith("extractor.")}


def encode(parameters: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """Return the tensors that store an extractor: matrices row by row at ``bits`` (32, 16 or 8), biases as they are."""
    parts = [embeddings.encode(p, bits, name) if p.ndim == 2 else {name: p} for name, p in parameters.items()]
    return {name: value for part in parts for name, value in part.items()}


def restored(data: bytes, kind: str, dim: int, width: int, bits: int = 32, reads: Sequence[int] = READS) -> MeanPool | Gru:
    """Return the extractor of a blob that `encode` filled.

    Raises:
        BadPayload: Not this extractor.
    """
    reader = build(kind, dim, width, reads)
    shapes = {name: tuple(p.shape) for name, p in reader.named_parameters()}
    stored = blobs.load(data, shapes)
    if bits < 32:
        stored = {name: embeddings.decode(stored, name, shape[-1]) if len(shape) == 2 else stored[name] for name, shape in shapes.items()}
    reader.load_state_dict(stored)
    return reader.requires_grad_(False).eval()


@lru_cache(maxsize=64)
def stored_bytes(kind: str, dim: int, width: int, bits: int, reads: tuple[int, ...] = READS) -> int:
    """Return the bytes of an extractor on a phone, its matrices at ``bits``."""
    with torch.device("meta"):
        made = build(kind, dim, width, reads)
    return sum(embeddings.table_bytes(p.shape[0], p.shape[1], bits) if p.ndim == 2 else 4 * p.numel() for p in made.parameters())
