"""What texts look like: a header, times, ratings. Guesses that are told, and that a key of the scenario overrules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chordsim.data.names import candidates
from chordsim.data.raw import LARGEST_RATING

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORDS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}([T ].*)?|\d{{1,4}}[/.]\d{{1,2}}[/.]\d{{1,4}}( .*)?|({_WORDS})[a-z]*,? .*\d{{4}}.*")


def like_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool | None:
    """Return whether a first row names the columns; None where nothing tells."""
    names = [text.partition(":")[0] for text in first]
    if candidates("user", names) and candidates("item", names):
        return True
    if any(_is_value(text) for text in first):
        return False
    if candidates("user", names) or candidates("item", names):
        return True
    below = [bool(rest) and all(_is_value(row[place]) for row in rest) for place in range(len(first))]
    return True if any(below) else None


def _is_value(text: str) -> bool:
    """Return whether a text is a number or a date, which no name of a column is."""
    return bool(_NUMBER.fullmatch(text) or _DATE.fullmatch(text))


def like_time(texts: Sequence[str]) -> bool:
    """Return whether texts are dates, or numbers that lie between 1990 and 2100 in a unit of time since 1970."""
    some = [text for text in texts if text]
    if not some:
        return False
    if all(_DATE.fullmatch(text) for text in some):
        return True
    if not all(_NUMBER.fullmatch(text) for text in some):
        return False
    values = [float(text) for text in some]
    spans = [(6.3e8 * unit, 4.1e9 * unit) for unit in (1.0, 1e3, 1e6, 1e9)]
    return any(all(low <= value <= high for value in values) for low, high in spans) or all(is_day(value) for value in values)


def is_day(value: float) -> bool:
    """Return whether a number is a day written as YYYYMMDD."""
    if not 19_000_101 <= value <= 21_001_231:
        return False
    year, month, day = int(value // 10_000), int(value // 100 % 100), int(value % 100)
    return value == int(value) and 1900 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31


def plausible(role: str, texts: Sequence[str]) -> bool:
    """Return whether at least one of the texts could stand in a guessed column of this role."""
    if role == "rating":
        return any(not text or text.casefold() == "nan" for text in texts) or any(
            _NUMBER.fullmatch(text) and abs(float(text)) <= LARGEST_RATING for text in texts
        )
    if role == "timestamp":
        return any(_NUMBER.fullmatch(text) or _DATE.fullmatch(text) for text in texts)
    return not all(_DATE.fullmatch(text) for text in texts)
