"""The lists of a closed round: the items that each phone ranked first, where the ledger keeps them."""

from __future__ import annotations

import numpy as np

from chordsim.arrays import Columns, Floats
from chordsim.ledger.columns import LIST
from chordsim.round.book import Book
from chordsim.round.shown import Shown
from chordsim.sized import SizedWorld
from chordsim.world import World


def kept_lists(book: Book, world: World | SizedWorld, shown: Shown | None, rank: Floats) -> Columns:
    """Return the column of lists, int32 [M, k], 0 pads; no column where none are kept, or nobody ranks.

    Args:
        book: What happened.
        world: The scenario; in sizes nothing is ranked.
        shown: What unserved phones showed from before.
        rank: Of what each user saw, [M]; NaN where the model did not rank, whose list is empty.
    """
    kept = world.scenario.protocol.keep_lists
    if not kept or isinstance(world, SizedWorld):
        return {}
    lists = book.carried.get(LIST, np.zeros((rank.size, kept), np.int32))
    if shown is not None and shown.lists is not None:
        lists = np.where(np.isnan(shown.age)[:, None], lists, shown.lists)
    return {LIST: np.where(np.isnan(rank)[:, None], np.int32(0), lists)}
