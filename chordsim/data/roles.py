"""Which column of a table is the user, the item, the rating and the time: by the scenario's keys, by known names, by place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chordsim.config.model import ColumnsConfig
from chordsim.data import looks
from chordsim.data.names import ROLES, candidates, plain
from chordsim.errors import DataError
from chordsim.nearest import suggest

#: Value of `data.columns.*` that leaves a column out.
NONE = "none"
_TIME_WORDS = frozenset("date time timestamp datetime ts".split())
_OTHER_WORDS = frozenset("duration spent length release released birth play watch zone total count avg mean is has".split())
_SHOWN = 12


@dataclass(frozen=True)
class Roles:
    """What is read as what.

    Attributes:
        places: Column of each role that is read, counted from 0.
        read: Name of that column, or its place where the file has no names.
        unread: The other columns.
        guessed: Roles that were told by place alone.
    """

    places: dict[str, int]
    read: dict[str, str | int]
    unread: tuple[str, ...]
    guessed: tuple[str, ...]


def by_name(where: str, names: Sequence[str], sample: Sequence[Sequence[str]], wanted: ColumnsConfig) -> Roles:
    """Find the roles of columns with names.

    Args:
        where: Begins every message: the file, and the line of its header.
        names: Of all columns.
        sample: Some rows of texts, to see what unread columns hold.
        wanted: The scenario's own word.

    Raises:
        DataError: A role that no column or more than one can have, or a column that looks like time and is not read.
    """
    shown = [name.strip() for name in names]
    places: dict[str, int] = {}
    for role in ROLES:
        given = getattr(wanted, role)
        if given is not None and given != NONE:
            places[role] = _place(where, role, given, shown)
    _check_once(where, places, shown)
    taken = set(places.values())
    for role in ROLES:
        if getattr(wanted, role) is None:
            found = [place for place in candidates(role, shown) if place not in taken]
            if len(found) > 1:
                both = [shown[place] for place in found]
                if len(set(both)) < len(both):
                    raise DataError(f"{where}: two columns are named {both[0]}: set data.columns.{role} to the position of one, from 0")
                raise DataError(
                    f"{where}: columns {' and '.join(both[:3])} could both be the {role}: set data.columns.{role} to one of them"
                )
            if found:
                places[role] = found[0]
                taken.add(found[0])
    for role in ("user", "item"):
        if role not in places:
            raise DataError(f"{where}: none of the columns {listed(shown)} is known as the {role}: set data.columns.{role} to one of them")
    unread = [place for place in range(len(shown)) if place not in taken]
    _check_time(where, places, wanted, {place: shown[place] for place in unread}, sample)
    read: dict[str, str | int] = {role: shown[place] for role, place in places.items()}
    return Roles(_ordered(places), _ordered(read), tuple(shown[place] for place in unread), ())


def by_place(where: str, width: int, sample: Sequence[Sequence[str]], wanted: ColumnsConfig) -> Roles:
    """Find the roles of columns without names: user, item, rating, timestamp in this order, where nothing else is said.

    Raises:
        DataError: A name where there are none, more columns than can be guessed, or values that contradict the guess.
    """
    places: dict[str, int] = {}
    for role in ROLES:
        given = getattr(wanted, role)
        if isinstance(given, str) and given != NONE:
            raise DataError(
                f"{where}: data.columns.{role} = {given!r}, but the file has no header ({listed(sample[0])}): give a position, "
                'counted from 0, or set data.header = "yes"'
            )
        if isinstance(given, int):
            places[role] = _position(where, role, given, width)
    _check_once(where, places, [f"{place}" for place in range(width)])
    left = [place for place in range(width) if place not in places.values()]
    open_roles = [role for role in ROLES if getattr(wanted, role) is None]
    guessed: tuple[str, ...] = ()
    if width <= len(ROLES):
        if width == 3 and {"rating", "timestamp"} <= set(open_roles) and left and looks.like_time([row[left[-1]] for row in sample]):
            open_roles.remove("rating")
        pairs = list(zip(open_roles, left, strict=False))
        guessed = tuple(role for role, _ in pairs)
        places |= dict(pairs)
    if "user" not in places or "item" not in places:
        raise DataError(
            f"{where}: {width} columns without a header that is known ({listed(sample[0])}): set data.columns.user and data.columns.item "
            "(rating, timestamp) to their positions, counted from 0, or name them user,item,rating,timestamp in a first line"
        )
    for role in guessed:
        texts = [row[places[role]] for row in sample]
        if not looks.plausible(role, texts):
            raise DataError(
                f"{where}: no header, and column {places[role]} ({texts[0][:40]!r}) cannot be the {role}: set data.columns.user, item, "
                "rating and timestamp to their positions, counted from 0"
            )
    unread = [place for place in range(width) if place not in places.values()]
    _check_time(where, places, wanted, {place: str(place) for place in unread}, sample)
    return Roles(_ordered(places), _ordered({**places}), tuple(str(place) for place in unread), guessed)


def listed(names: Sequence[str]) -> str:
    """Return names for a message, not too many of them."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name[:40] for name in names[:_SHOWN]) + more


def _place(where: str, role: str, given: str | int, names: Sequence[str]) -> int:
    if isinstance(given, int):
        return _position(where, role, given, len(names))
    for same in (str, str.casefold, plain):
        found = [place for place, name in enumerate(names) if same(name) == same(given)]
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"{where}: data.columns.{role} = {given!r}: two columns are named so: give a position, counted from 0")
    near = suggest(given, names)
    raise DataError(f"{where}: data.columns.{role} = {given!r}: no such column{near if 'mean' in near else f': there are {listed(names)}'}")


def _position(where: str, role: str, given: int, width: int) -> int:
    if not 0 <= given < width:
        raise DataError(f"{where}: data.columns.{role} = {given}: there are {width} columns, 0 to {width - 1}")
    return given


def _check_once(where: str, places: dict[str, int], names: Sequence[str]) -> None:
    for role, place in places.items():
        for other, same in places.items():
            if other != role and same == place:
                raise DataError(f"{where}: data.columns.{role} and data.columns.{other} both name column {names[place]}")


def _check_time(where: str, places: dict[str, int], wanted: ColumnsConfig, unread: dict[int, str], sample: Sequence[Sequence[str]]) -> None:
    """Refuse to leave a column of time unread where none is read: the order of lines would become the sequence in silence."""
    if "timestamp" in places or wanted.timestamp is not None:
        return
    for place, name in unread.items():
        texts = [row[place] for row in sample]
        words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
        by_word = bool(words & _TIME_WORDS) and not words & _OTHER_WORDS
        if not plain(name).endswith("id") and (by_word or looks.like_time(texts)):
            key = place if name == str(place) else f'"{name}"'
            such = f" ({texts[0][:40]!r})" if texts else ""
            raise DataError(
                f"{where}: column {name}{such} looks like time and is not read: set data.columns.timestamp = {key}, "
                f'or "{NONE}" to go by the order of lines'
            )


def _ordered(found: Mapping[str, Any]) -> dict[str, Any]:
    return {role: found[role] for role in ROLES if role in found}
