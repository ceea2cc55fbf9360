"""What a reader of results must know of a file beyond its rows: guesses, missing ratings, zeros that count, units of time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chordsim import arrow
from chordsim.arrays import Bools, Floats, Ints
from chordsim.data.interactions import Tokens
from chordsim.data.raw import Codes, RawLog
from chordsim.data.roles import Roles
from chordsim.data.values import MISSING_WORDS
from chordsim.errors import DataError

#: Times since 1970 up to here are taken for seconds (until the year 5138), then for milliseconds, then for microseconds.
_MILLI_FROM, _MICRO_FROM = 1e11, 1e14
_UNITS = ("seconds", "milliseconds", "microseconds")
_DAY_S = 86_400
_PLAIN_NUMBER = r"^(0|-?[1-9][0-9]*)$"


def remarks_of(log: RawLog, roles: Roles, guessed: bool) -> tuple[str, ...]:
    """Return what was assumed of a file.

    Args:
        log: As read.
        roles: What was read as what.
        guessed: Whether the format was found out, not stated.
    """
    out = []
    if roles.guessed and guessed:
        places = ", ".join(f"{role} = {roles.places[role]}" for role in roles.guessed)
        out.append(f"no header: {places} assumed by position; data.columns.user, item, rating and timestamp say otherwise")
    if log.ratings is not None:
        missing = int(np.count_nonzero(np.isnan(log.ratings)))
        if missing:
            out.append(f"{missing:,} of {log.ratings.size:,} ratings are missing; no setting but data.min_rating uses ratings")
        there = log.ratings[~np.isnan(log.ratings)] if missing else log.ratings
        zeros = int(np.count_nonzero(there == 0))
        if zeros and float(there.max()) == 1 and float(there.min()) == 0 and bool(np.all((there == 0) | (there == 1))):
            such = f"{zeros / log.users.size:.1%} of the interactions have {roles.read['rating']} 0 and count like any other"
            out.append(f"{such}; data.min_rating = 1 leaves them out")
    for role, tokens, codes in (("user", log.user_tokens, log.users), ("item", log.item_tokens, log.items)):
        out += _odd_ids(role, tokens, codes)
    if log.timestamps is None:
        out.append("no time stamps: the order of lines is the order")
    return tuple(out)


def _odd_ids(role: str, tokens: Tokens, codes: Codes) -> list[str]:
    """Return what to say of ids that stand for a missing value, and of those that look like another one and count as their own."""
    words: Any = pa.array(tokens, pa.string())
    if pc.all(pc.match_substring_regex(words, _PLAIN_NUMBER)).as_py():
        return []
    out = []
    for code in np.flatnonzero(np.asarray(pc.is_in(pc.ascii_lower(words), value_set=arrow.texts(MISSING_WORDS)))).tolist():
        times = int(np.count_nonzero(codes == code))
        out.append(f"{str(tokens[code])!r} stands for the {role} in {times:,} interactions, and counts as one {role}")
    plain = pc.utf8_trim_whitespace(cast(Any, pc).utf8_normalize(words, "NFC"))
    plain = pc.replace_substring_regex(pc.replace_substring_regex(plain, r"^0+([0-9]+)(\.0+)?$", r"\1"), r"^([0-9]+)\.0+$", r"\1")
    alike = len(words) - pc.count_distinct(plain).as_py()
    if alike:
        out.append(
            f"{alike:,} {role} ids differ from another one only by Unicode form, blanks, a leading 0 or '.0', and count as their own"
        )
    return out


def settled(path: Path, log: RawLog, unit: str) -> tuple[RawLog, tuple[str, ...]]:
    """Return the log with times of one unit, and what was done for it.

    Args:
        path: For messages.
        log: As read.
        unit: `data.time_unit`.

    Raises:
        DataError: Two units in one column where nothing says how to read them.
    """
    times = log.timestamps
    if times is None or not times.size or unit in ("s", "ms", "us"):
        return log, ()
    if int(_size(times.max())) == 0 or (times.min() > 0 and _size(times.min()) == _size(times.max())):
        return _days(log, times)
    size = _size(times)
    found = np.unique(size[times > 0])
    if found.size < 2:
        return _days(log, times)
    if unit != "by-size":
        names = " and ".join(_UNITS[k] for k in found.tolist())
        rows = [int(np.argmax((size == k) & (times > 0))) for k in found.tolist()]
        such = " beside ".join(f"{times[row]:.0f} (interaction {row + 1:,})" for row in rows)
        raise DataError(
            f'{path}: {names} in one column of time: {such}: set data.time_unit = "by-size" to read each by its size, or "s", "ms" or "us" '
            "if all are of one unit"
        )
    seconds = times / np.array([1.0, 1e3, 1e6])[size]
    return replace(log, timestamps=seconds), ("times of two units, each read by its size as seconds",)


def unit_of(times: Floats | Ints) -> str:
    """Return the unit that the largest of some times must have."""
    return _UNITS[int(_size(times.max()))]


def _size(times: Any) -> Any:
    return (times >= _MILLI_FROM) * 1 + (times >= _MICRO_FROM)


def _days(log: RawLog, times: Floats | Ints) -> tuple[RawLog, tuple[str, ...]]:
    """Read numbers such as 20240531 as days, if all of them are."""
    low, high = float(times.min()), float(times.max())
    if not (19_000_101 <= low and high <= 21_001_231):
        return log, ()
    whole = times.astype(np.int64)
    month, day = whole // 100 % 100, whole % 100
    fits: Bools = (whole == times) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    if not fits.all():
        return log, ()
    text = np.char.mod("%08d", np.unique(whole))
    try:
        days = np.array([f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in text.tolist()], "datetime64[D]").astype(np.int64)
    except ValueError:
        return log, ()
    if (days < 0).any():
        return log, ()
    return replace(log, timestamps=days[np.searchsorted(np.unique(whole), whole)] * _DAY_S), ("times read as days, YYYYMMDD",)
