"""What the shipped device halves share: turns that rank, turns that say nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from chordsim.arrays import Bools, Floats, Ints, runs
from chordsim.config.model import ProtocolConfig
from chordsim.data.history import Spans
from chordsim.kernels import ranking
from chordsim.kernels.choose import Kernels, kernels
from chordsim.methods import ITEM_TABLE, Cost, MethodContext, Turn
from chordsim.nets import blobs, embeddings, extractor
from chordsim.nets.backbone import position_shape
from chordsim.nets.reads import READS
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.quant.costs import same_for_all as same_for_all
from chordsim.ragged import Ragged
from chordsim.runtime.portable import Portable

#: Phones computed together; a chunk is cut into as many of them as it has, so that results depend on its size alone.
BLOCK = 32


class Device:
    """Base of the shipped device halves; a third party may use it or write its own."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context
        self.shapes = shapes_of(context.backbone, context.n_items, context.ranked)
        self.kernels = kernels(context.kernel, context.device)

    def alike(self, *columns: npt.NDArray[Any]) -> tuple[Ints, Ints] | None:
        """Return which rows to compute and where each phone finds its own (`chordsim.arrays.runs`); None where each is computed."""
        return runs(*columns) if self.context.share_equal else None

    def score(self, states: torch.Tensor, item_table: torch.Tensor, place: Ints | None = None) -> npt.NDArray[np.float32] | Products:
        """Return the scores of all items, float32 [D, n_items + 1], or what makes them when they are asked for.

        They are made when asked for where phones keep few rows, and where ranks are counted as scores come.

        Args:
            states: Last states [D, d], or those that differ, [R, d].
            item_table: [n_items + 1, d].
            place: Which of those each phone has, [D].
        """
        if self.shapes.backbone.items == "cached" or self.kernels.rank_states is not None:
            return Products(states, item_table, self.kernels, place)
        scores = (states @ item_table.T).numpy()
        return scores if place is None else scores[place]

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Any:
        """Return nothing: this method has no bootstrap."""
        return None

    def portable(self, blobs_by_label: Mapping[str, bytes]) -> Portable | None:
        """Return what a phone runtime can run of a bootstrap; None, as here, where this half does more than it could."""
        return None


def quiet(rows: int, outbox: Ragged | None = None, cost: Cost | None = None) -> Turn:
    """Return a turn in which nothing was ranked and nobody refused."""
    none = np.zeros(rows, np.uint8)
    return Turn(outbox or Ragged.empty(rows), none, cost or Cost.zero(rows), np.full(rows, np.nan))


def in_blocks(rows: int, compute: Callable[[slice], torch.Tensor]) -> torch.Tensor:
    """Return what ``compute`` makes of phones [D], block by block, so that what one block needs stays in the processor's cache."""
    return torch.cat([compute(slice(at, min(at + BLOCK, rows))) for at in range(0, rows, BLOCK)])


@dataclass(frozen=True)
class Products:
    """Scores of some items: products of last states [D, d] with the rows of an item table [n_items + 1, d].

    Attributes:
        states: Of each phone, or those that differ, [R, d].
        table: Item embeddings.
        kernels: What multiplies.
        place: Which of the states each phone has, [D].
    """

    states: torch.Tensor
    table: torch.Tensor
    kernels: Kernels
    place: Ints | None = None

    def _each(self) -> torch.Tensor:
        return self.states if self.place is None else self.states[torch.from_numpy(self.place)]

    def of(self, items: Ints) -> npt.NDArray[np.float32]:
        """Return the scores of item ids [D, n], phone by phone."""
        if self.kernels.native:
            return ranking.score_items(self._each(), self.table, items)
        rows = self.table[torch.from_numpy(items)]
        return torch.bmm(rows, self._each().unsqueeze(2)).squeeze(2).numpy()

    def all(self) -> npt.NDArray[np.float32]:
        """Return the scores of all items, [D, n_items + 1]."""
        states = self._each()
        return ranking.score_all(states, self.table) if self.kernels.native else (states @ self.table.T).numpy()

    def ranks(self, targets: Ints, seen: Spans, protocol: ProtocolConfig) -> tuple[Floats, Bools]:
        """Return the rank of each target among all items [D], and whether all scores of a phone are numbers."""
        rank_states = self.kernels.rank_states or ranking.rank_states
        if self.place is None:
            return rank_states(self.states, self.table, targets, seen, protocol)
        first, mine = runs(self.place, targets, seen.starts, seen.ends)
        spans = Spans(seen.items, seen.starts[first], seen.ends[first])
        rank, sound = rank_states(self.states[torch.from_numpy(self.place[first])], self.table, targets[first], spans, protocol)
        return rank[mine], sound[mine]


def item_table(blobs_by_label: Mapping[str, bytes], shapes: Shapes) -> torch.Tensor:
    """Return the item embeddings [n_items + 1, d] of a bootstrap.

    Where the catalogue stays in the cloud this is the simulator's: a phone has the rows that it asked for, which are the same.

    Raises:
        BadPayload: Not this table.
    """
    label = ITEM_TABLE if shapes.backbone.items == "cached" else "embeddings"
    config = shapes.backbone
    wanted = embeddings.stored_shapes(shapes.n_items + 1, config.dim, config.embedding_bits, "item")
    return embeddings.decode(blobs.load(blobs_by_label[label], wanted), "item", config.dim)


def load_tables(blobs_by_label: Mapping[str, bytes], shapes: Shapes) -> tuple[torch.Tensor, torch.Tensor]:
    """Return item [n_items + 1, d] and position [P, d] embeddings of a bootstrap.

    Raises:
        BadPayload: Not these tables.
    """
    stored = blobs.load(blobs_by_label["embeddings"], {"position": position_shape(shapes.backbone)})
    return item_table(blobs_by_label, shapes), stored["position"]


def load_extractor(data: bytes, kind: str, dim: int, width: int, reads: Sequence[int] = READS) -> torch.nn.Module:
    """Return the feature extractor of a blob.

    Raises:
        BadPayload: Not this extractor.
    """
    return blobs.filled(extractor.build(kind, dim, width, reads), data)
