"""The roll-out sheet: a forecast as a table of one line per method and group of phones, with who is left out."""

from __future__ import annotations

import io
import math
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.files import atomic_write
from chordsim.forecast.predict import ALL, QUANTITIES, Forecast, Range, group_words
from chordsim.population.generate import Population

#: Phones that are drawn to tell how large the groups are.
_DRAWN = 1 << 20


def write_sheet(path: Path, predicted: Forecast, phones: Population, by: str) -> list[str]:
    """Write the sheet as CSV.

    Columns: ``method``, the column's name, ``phones`` (of the fleet, expected), ``phones_share``, ``left_out_phones`` (refused in an
    average round, middle of the range), then each quantity of the forecast as ``NAME_low``, ``NAME`` and ``NAME_high``. A group too
    rare for the forecast to tell has a line with empty cells; the first line of a method, ``all``, is over all phones.

    Args:
        path: The file.
        predicted: By the groups of ``by``.
        phones: The scenario's.
        by: One of `Population.columns`.

    Returns:
        What to say of the sheet, one sentence each.

    Raises:
        UserError: The file cannot be written.
    """
    import pandas as pd

    shares = group_shares(phones, by)
    lines, rare = [], set()
    for method, groups in predicted.items():
        for word, share in {ALL: 1.0, **shares}.items():
            found = groups.get(word, {})
            rare |= set() if found else {word}
            lines.append({"method": method, by: word, **_sizes(phones.size, share, found), **_cells(found)})
    text = io.StringIO()
    pd.DataFrame(lines).to_csv(text, index=False, lineterminator="\n")
    atomic_write(path, text.getvalue().encode())
    return [f"{len(rare):,} of {len(shares):,} groups are too rare for the forecast to tell; their cells are empty"] if rare else []


def group_shares(phones: Population, by: str) -> dict[str, float]:
    """Return the share of the fleet's phones in each group that has any: exact for small fleets, else of a million phones."""
    codes, _ = phones.labelled(np.arange(min(phones.size, _DRAWN), dtype=np.int64), by)
    words = group_words(phones, by)
    shares = np.bincount(codes, minlength=len(words)) / codes.size
    return {word: share for word, share in zip(words, shares.tolist(), strict=True) if share}


def _sizes(size: int, share: float, found: dict[str, Range]) -> dict[str, Any]:
    refused = found.get("refused_share")
    left_out = None if refused is None else round(size * share * refused.middle)
    return {"phones": round(size * share), "phones_share": share, "left_out_phones": left_out}


def _cells(found: dict[str, Range]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in QUANTITIES:
        known = found.get(name)
        most = 1.0 if name.endswith("_share") else math.inf
        ends = () if known is None else (min(end, most) for end in (known.low, known.middle, known.high))
        out |= dict(zip_longest((f"{name}_low", name, f"{name}_high"), ends))
    return out
