"""The small ranker of a phone that keeps few item rows: a GRU over narrow projections of the backbone's own rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim import seeds
from chordsim.arrays import Bools, Bytes, Ints
from chordsim.nets.draws import draw_parameters
from chordsim.nets.embeddings import look_up
from chordsim.nets.windows import Windows
from chordsim.ragged import Ragged
from chordsim.wire.ids import id_bytes, pack_ids, unpack_ids


class RowRanker(nn.Module):
    """A GRU whose state, projected back to the width of a row, is compared with the rows that a phone holds.

    One matrix projects rows to the GRU's width and its states back, so an item counts by its narrow row on both sides, as with a narrow
    table of its own.
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.project = nn.Parameter(torch.zeros(width, dim))
        self.cell = nn.GRU(width, width, batch_first=True)

    def read(self, items: Tensor, table: Tensor, last: int = 0) -> Tensor:
        """Return the state [D, n, d] after each of the ``last`` positions (0: all) of item ids [D, L], padded with 0 on the left.

        Args:
            items: Item ids.
            table: Item rows [n_items + 1, d]; those of other items are not read.
            last: How many positions.
        """
        rows = F.linear(look_up(table, items), self.project) * table.shape[1] ** 0.5
        narrow = self.cell(rows)[0][:, -last:]
        return F.layer_norm(narrow, narrow.shape[-1:]) @ self.project


def ranker_size(dim: int, width: int) -> int:
    """Return the numbers of a ranker, which has no table of its own."""
    return width * dim + 6 * width * width + 6 * width


def ranker_macs(length: int, dim: int, width: int, listed: int) -> int:
    """Return multiply-accumulates of one request: rows projected and read, the state projected back, a product for each candidate."""
    return length * (width * dim + 6 * width * width) + width * dim + listed * dim


def order_bytes(listed: int) -> int:
    """Return the bytes of a plan with the order of a list: a byte, and a place for each item."""
    return 1 + listed * id_bytes(listed)


def pack_order(phone: Bools, places: Ints) -> Bytes:
    """Return plans [D], whether the phone ranks, each with its order of the list [D, N], places from 1, as bytes."""
    return np.concatenate([phone[:, None].astype(np.uint8), pack_ids(places, places.shape[1])], 1)


def unpack_order(rows: Ragged, listed: Ints) -> tuple[Bools, Ints, Bools]:
    """Return whether the phone ranks [D], its list in the cloud's order [D, N], and which rows [D] are sound. Total.

    Args:
        rows: What `pack_order` made, or any bytes.
        listed: The lists [D, N], 0 pads at the end; an order names each listed item once.
    """
    count = listed.shape[1]
    packed, fits = rows.matrix(order_bytes(count))
    places, known = unpack_ids(Ragged.of_matrix(packed[:, 1:]), count, count)
    real = (listed > 0).sum(1)
    wanted = np.where(np.arange(count) < real[:, None], np.arange(1, count + 1), 0)
    each = (np.sort(places, axis=1) == np.sort(wanted, axis=1)).all(1) & ((places > 0) == (wanted > 0)).all(1)
    sound = fits & known & each & (packed[:, 0] <= 1)
    ordered = np.take_along_axis(np.pad(listed, ((0, 0), (1, 0))), np.where(sound[:, None], places, 0), 1)
    return np.asarray(sound & (packed[:, 0] == 1)), ordered, np.asarray(sound)


class TrainedRowRanker(RowRanker):
    """The ranker as the training loop sees it: over rows that are trained already, and stay as they are."""

    def __init__(self, rows: Tensor, width: int, length: int, seed: int) -> None:
        """Draw the first values.

        Args:
            rows: Item rows as phones will have them [n_items + 1, d].
            width: Of the GRU.
            length: Of a history.
            seed: The scenario's.
        """
        super().__init__(rows.shape[1], width)
        self.horizon = length
        self.item = nn.Parameter(rows, requires_grad=False)
        generator = seeds.torch_generator(seed, "train.cda4rec.rows.init")
        draw_parameters(self.cell, generator)
        nn.init.normal_(self.project, std=rows.shape[1] ** -0.5, generator=generator)

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return one group: all but the rows."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": lr}]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return states [B, L, d] of a training batch."""
        return self.read(windows.inputs, self.item)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d]."""
        return self.read(items, self.item, 1)[:, 0]

    def item_as_shipped(self) -> Tensor:
        """Return the rows, which are as shipped from the start."""
        return self.item.detach()
