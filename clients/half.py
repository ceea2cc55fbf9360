"""What the shipped device halves share: turns that rank, turns that say nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from chordsim.methods import Cost, MethodContext, Turn
from chordsim.nets import blobs, embeddings, extractor
from chordsim.nets.backbone import position_shape
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.quant.costs import same_for_all as same_for_all
from chordsim.ragged import Ragged

#: Phones computed together; a chunk is cut into as many of them as it has, so that results depend on its size alone.
BLOCK = 32


class Device:
    """Base of the shipped device halves; a third party may use it or write its own."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context
        self.shapes = shapes_of(context.backbone, context.n_items)

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Any:
        """Return nothing: this method has no bootstrap."""
        return None


def quiet(rows: int, outbox: Ragged | None = None, cost: Cost | None = None) -> Turn:
    """Return a turn in which nothing was ranked and nobody refused."""
    none = np.zeros(rows, np.uint8)
    return Turn(outbox or Ragged.empty(rows), none, cost or Cost.zero(rows), np.full(rows, np.nan))


def in_blocks(rows: int, compute: Callable[[slice], torch.Tensor]) -> torch.Tensor:
    """Return what ``compute`` makes of phones [D], block by block, so that what one block needs stays in the processor's cache."""
    return torch.cat([compute(slice(at, min(at + BLOCK, rows))) for at in range(0, rows, BLOCK)])


def score(states: torch.Tensor, item_table: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return the scores of all items, float32 [D, n_items + 1]."""
    return (states @ item_table.T).numpy()


def load_tables(data: bytes, shapes: Shapes) -> tuple[torch.Tensor, torch.Tensor]:
    """Return item [n_items + 1, d] and position [P, d] embeddings of a blob.

    Raises:
        BadPayload: Not these tables.
    """
    config = shapes.backbone
    wanted = {"item": (shapes.n_items + 1, config.dim), "position": position_shape(config)}
    stored = blobs.load(data, wanted)
    return embeddings.decode(stored, "item"), stored["position"]


def load_extractor(data: bytes, kind: str, dim: int, width: int) -> torch.nn.Module:
    """Return the feature extractor of a blob.

    Raises:
        BadPayload: Not this extractor.
    """
    reader = extractor.build(kind, dim, width)
    reader.load_state_dict(blobs.load(data, {name: tuple(p.shape) for name, p in reader.named_parameters()}))
    return reader.requires_grad_(False).eval()
