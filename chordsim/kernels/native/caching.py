"""The loop over phones' caches of item rows: what a session lacks, and what stays."""

from __future__ import annotations

from typing import Any

from chordsim.kernels.native.compiled import compiled


@compiled
def session_all(held: Any, history: Any, listed: Any, seen: Any, lacks: Any, consumed: Any, kept: Any) -> None:
    """Do for each phone what `chordsim.round.item_cache.session` says.

    Args:
        held: Ids held before [D, R].
        history: [D, W], the most recent last.
        listed: [D, N].
        seen: Zeros [4, n_items + 1]: for each item the last phone, from 1, that held it, was sent it in a list, read it, or keeps it.
        lacks: Written, [D, N].
        consumed: Zeros, written, [D, W].
        kept: Zeros, written, [D, R].
    """
    for d in range(held.shape[0]):
        phone = d + 1
        for j in range(held.shape[1]):
            if held[d, j] > 0:
                seen[0, held[d, j]] = phone
        for j in range(listed.shape[1]):
            if listed[d, j] > 0:
                seen[1, listed[d, j]] = phone
        place, missing = 0, 0
        for j in range(history.shape[1] - 1, -1, -1):
            item = history[d, j]
            if item > 0 and seen[2, item] != phone:
                seen[2, item] = phone
                seen[3, item] = phone
                kept[d, place] = item
                place += 1
                if seen[0, item] != phone and seen[1, item] != phone:
                    consumed[d, missing] = item
                    missing += 1
        for j in range(listed.shape[1]):
            item = listed[d, j]
            lacks[d, j] = item > 0 and seen[0, item] != phone
            if item > 0 and seen[3, item] != phone:
                seen[3, item] = phone
                kept[d, place] = item
                place += 1
        for j in range(held.shape[1]):
            item = held[d, j]
            if item > 0 and seen[3, item] != phone and place < kept.shape[1]:
                seen[3, item] = phone
                kept[d, place] = item
                place += 1
