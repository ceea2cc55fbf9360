"""The loop over phones' caches of item rows: what a session lacks, and what stays."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.compiled import compiled

#: How a phone met an item: it held its row, was sent it in a list, or keeps its row.
_HELD, _LISTED, _KEPT = 1, 2, 4


@compiled
def session_all(held: Any, history: Any, listed: Any, seen: Any, lacks: Any, consumed: Any, kept: Any) -> None:
    """Do for each phone what `chordsim.round.item_cache.session` says.

    Args:
        held: Ids held before [D, R].
        history: [D, W], the most recent last.
        listed: [D, N].
        seen: Zeros [n_items + 1]: for each item a number for each phone that met it last, and how it did, in four bits.
        lacks: Written, [D, N].
        consumed: Zeros, written, [D, W].
        kept: Zeros, written, [D, R].
    """
    for d in range(held.shape[0]):
        phone = np.int64(d + 1) << 4
        place, missing = 0, 0
        for j in range(held.shape[1]):
            if held[d, j] > 0:
                seen[held[d, j]] = phone | _HELD
        for j in range(listed.shape[1]):
            item = listed[d, j]
            met = seen[item] if seen[item] >= phone else phone
            lacks[d, j] = item > 0 and met & _HELD == 0
            if item > 0:
                seen[item] = met | _LISTED
        for j in range(history.shape[1] - 1, -1, -1):
            item = history[d, j]
            met = seen[item] if seen[item] >= phone else phone
            if item > 0 and met & _KEPT == 0:
                seen[item] = met | _KEPT
                kept[d, place] = item
                place += 1
                if met & (_HELD | _LISTED) == 0:
                    consumed[d, missing] = item
                    missing += 1
        for j in range(listed.shape[1]):
            item = listed[d, j]
            if item > 0 and seen[item] & _KEPT == 0:
                seen[item] |= _KEPT
                kept[d, place] = item
                place += 1
        for j in range(held.shape[1]):
            item = held[d, j]
            if item > 0 and seen[item] & _KEPT == 0 and place < kept.shape[1]:
                seen[item] |= _KEPT
                kept[d, place] = item
                place += 1
