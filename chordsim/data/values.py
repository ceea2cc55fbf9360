"""From the texts of one column to ids, ratings and times; the first one that cannot be is named by its line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chordsim import arrow
from chordsim.arrays import Bools, Floats, Ints
from chordsim.data.raw import LARGEST_RATING, LONGEST_TOKEN, TIMESTAMP_END, token_fault
from chordsim.errors import DataError

#: The place of a row in the file, for a message.
Where = Callable[[int], str]
TimeKind = Literal["number", "date", "zoned date"]

BLANKS = " \t\r\v\f"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE = r"(Z|[+-][0-9]{2}:?([0-9]{2})?)$"
#: Words for a value that is not there, in small letters.
MISSING_WORDS = ("", "nan", "na", "n/a", "null", "none", "\\n")
_MISSING = arrow.texts(MISSING_WORDS)
_LEAVE_OUT = 'is missing: leave such rows out, or set data.columns.timestamp = "none" for the order of lines'
#: Of dates, in seconds since 1970: the year 2262. What is later stands for "never", as 9999-12-31 does.
_DATE_END = 2**63 / 1e9
#: A zone in words, as BigQuery writes it.
_UTC = r" ?(UTC|GMT)$"
_DECIMAL_COMMA = r"[+-]?[0-9]+,[0-9]{1,2}"
_NANO_FROM, _NANO_END = 1e17, 1e19
_WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"
#: A text of so many bytes is neither too long nor a number beyond 64 bits.
_SURELY_NARROW = 18
#: Whole numbers below it are each a float of 64 bits.
_FLOAT_END = 2.0**53
_WIDE = r"^-?0*[1-9][0-9]{18,}$"


def ids(role: str, texts: Any, where: Where) -> Any:
    """Return a column of user or item ids as a dictionary array of trimmed texts.

    Args:
        role: "user" or "item".
        texts: Array of strings, or a dictionary array of them.
        where: Names a row.

    Raises:
        DataError: An id that is none.
    """
    coded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    words = pc.ascii_trim(coded.dictionary, BLANKS)
    if not words.equals(coded.dictionary):
        again = words.dictionary_encode()
        coded = pa.DictionaryArray.from_arrays(again.indices.take(coded.indices), again.dictionary)
        words = again.dictionary
    for code in _odd(words):
        fault = token_fault(words[code].as_py())
        if fault:
            row = int(np.argmax(np.asarray(coded.indices) == code))
            raise DataError(f"{where(row)}: the {role} id {fault}")
    return coded


def _odd(words: Any) -> list[int]:
    """Return the places of texts that need a closer look: empty, long, with a NUL, or numbers that do not fit in 64 bits."""
    lengths = np.asarray(pc.binary_length(words))
    odd = np.flatnonzero((lengths == 0) | np.asarray(pc.match_substring(words, "\0"))).tolist()
    long = np.flatnonzero(lengths > _SURELY_NARROW)
    if long.size:
        some = words.take(pa.array(long))
        wide = np.asarray(pc.match_substring_regex(some, _WIDE))
        try:
            some.filter(pa.array(wide)).cast(pa.int64())
        except pa.ArrowInvalid:
            odd += long[wide].tolist()
        odd += long[np.asarray(pc.utf8_length(some)) > LONGEST_TOKEN].tolist()
    return sorted(odd)


def ratings(texts: Any, where: Where) -> Floats:
    """Return ratings, NaN where there is none.

    Raises:
        DataError: A text that is neither a number nor a word for a missing one, or a number that is not plausible.
    """
    texts = pc.ascii_trim(texts, BLANKS)
    missing = pc.is_in(pc.ascii_lower(texts), _MISSING)
    values = numbers("rating", pc.if_else(missing, "nan", texts), where, np.asarray(missing))
    check_ratings(values, lambda row: f"{where(row)}: the rating {shown(texts[row].as_py())}")
    return values


def times(texts: Any, where: Where, kind: TimeKind | None) -> tuple[Floats | Ints, TimeKind]:
    """Return times, seconds since 1970 where they are dates, and how they are written.

    Args:
        texts: Array of strings.
        where: Names a row.
        kind: How earlier rows of the column are written, if there are any.

    Raises:
        DataError: A text that is no time, or another kind of time than the rows before.
    """
    texts = pc.ascii_trim(texts, BLANKS)
    found: TimeKind = kind or _kind(texts[0].as_py())

    def at(row: int) -> str:
        return f"{where(row)}: the timestamp {shown(texts[row].as_py())}"

    if found == "number":
        values = whole(numbers("timestamp", texts, where, None))
        check_times(values, at)
    else:
        values = _dates(texts, where, found == "zoned date")
        _check_dates(values, at)
    return values, found


def rating_column(column: Any, where: Where) -> Floats:
    """Return ratings from a column that has a type of its own, NaN where there is none.

    Raises:
        DataError: As `ratings`.
    """
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        return ratings(_as_text("rating", column, where), where)
    found = np.asarray(column.cast(pa.float64(), safe=False).fill_null(math.nan))
    check_ratings(found, lambda row: f"{where(row)}: the rating {column[row].as_py()}")
    return found


def time_column(column: Any, where: Where, kind: TimeKind | None) -> tuple[Floats | Ints, TimeKind]:
    """Return times from a column that has a type of its own; see `times`.

    Raises:
        DataError: As `times`.
    """
    type = column.type

    def at(row: int) -> str:
        return f"{where(row)}: the timestamp {column[row].as_py()}"

    if pa.types.is_date(type):
        column = column.cast(pa.timestamp("ms"))
        type = column.type
    if pa.types.is_timestamp(type):
        row = first(np.asarray(column.is_null()))
        if row is not None:
            raise DataError(f"{where(row)}: the timestamp {_LEAVE_OUT}")
        dates = seconds(column)
        _check_dates(dates, lambda row: f"{where(row)}: the timestamp {column.cast(pa.timestamp('s', type.tz), safe=False)[row].as_py()}")
        return dates, "date"
    if pa.types.is_integer(type) or pa.types.is_floating(type):
        # What no signed number holds lies beyond all times, as a float too.
        exact = pa.types.is_integer(type) and type != pa.uint64() and not column.null_count
        typed = column.cast(pa.int64()) if exact else column.cast(pa.float64(), safe=False).fill_null(math.nan)
        found, kind = np.asarray(typed), "number"
    else:
        return times(_as_text("timestamp", column, where), where, kind)
    check_times(found, at)
    return found, kind


def check_ratings(values: Floats, at: Where) -> None:
    """Refuse ratings beyond what any scale has.

    Raises:
        DataError: Names the first.
    """
    with np.errstate(invalid="ignore"):
        row = first(np.abs(values) > LARGEST_RATING)
    if row is not None:
        bounds = f"is not plausible: give a value within {-LARGEST_RATING:g} to {LARGEST_RATING:g}"
        what = "is not a finite number" if math.isinf(values[row]) else bounds
        raise DataError(f"{at(row)} {what}")


def check_times(values: Floats | Ints, at: Where) -> None:
    """Refuse times before 1970, beyond 64-bit floats, and missing ones.

    Raises:
        DataError: Names the first.
    """
    row = first(~((values >= 0) & (values < TIMESTAMP_END)))
    if row is not None:
        if math.isnan(values[row]):
            raise DataError(f"{at(row)} {_LEAVE_OUT}")
        nano = " (divide nanoseconds by 1000)" if _NANO_FROM <= values[row] < _NANO_END else ""
        raise DataError(f"{at(row)} is not plausible: give a value since 1970 in seconds, milliseconds or microseconds{nano}")


def _check_dates(values: Floats | Ints, at: Where) -> None:
    """Refuse dates that lie before 1970 or stand for "never".

    Raises:
        DataError: Names the first.
    """
    row = first(~((values >= 0) & (values < _DATE_END)))
    if row is not None:
        raise DataError(f"{at(row)} is not plausible: give a date from 1970 to 2261, or leave such rows out")


def numbers(role: str, texts: Any, where: Where, missing: Any) -> Floats:
    """Return texts as numbers; rows that are ``missing`` hold "nan".

    Raises:
        DataError: The first that is no finite number.
    """
    good = np.asarray(pc.match_substring_regex(texts, _NUMBER))
    row = first(~good if missing is None else ~(good | missing))
    if row is not None:
        text = texts[row].as_py()
        if role == "timestamp" and text.lower() in MISSING_WORDS:
            raise DataError(f"{where(row)}: the timestamp {shown(text)} {_LEAVE_OUT}")
        either = " or an ISO date such as 2024-05-31 12:00:00" if role == "timestamp" else ""
        comma = f": write {text.replace(',', '.')}" if role == "rating" and re.fullmatch(_DECIMAL_COMMA, text) else ""
        raise DataError(f"{where(row)}: the {role} {shown(text)} is not a finite number{either}{comma}")
    try:
        return np.asarray(texts.cast(pa.float64()))
    except pa.ArrowInvalid:
        return np.array([float(text) for text in texts.to_pylist()])


def are_whole(words: Any) -> bool:
    """Return whether all texts are whole numbers of 64 bits, written as such numbers become text again."""
    return bool(pc.all(pc.match_substring_regex(words, _WHOLE)).as_py())


def fractions(numbers: Floats) -> Bools:
    """Return which floats are no whole number, or so large that several whole numbers share them."""
    odd: Bools = ~(np.abs(numbers) < _FLOAT_END) | (numbers != np.floor(numbers))
    return odd


def first(bad: Any) -> int | None:
    """Return the first row that is bad, or None."""
    return int(np.argmax(bad)) if bad.any() else None


def shown(text: str) -> str:
    """Return a text for a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def whole(values: Floats) -> Floats | Ints:
    """Return numbers as whole ones where all are, and lie within what a float holds exactly."""
    with np.errstate(invalid="ignore"):
        cut = values.astype(np.int64)
    return cut if bool(np.all(cut == values)) and bool(np.all(np.abs(cut) < TIMESTAMP_END)) else values


def seconds(stamps: Any) -> Floats | Ints:
    """Return an Arrow array of time stamps as seconds since 1970, whole numbers where all are."""
    # Not by way of nanoseconds, which end in the year 2262.
    each = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[stamps.type.unit]
    parts = np.asarray(stamps.cast(pa.int64()))
    return parts // each if bool(np.all(parts % each == 0)) else parts / each


def _as_text(role: str, column: Any, where: Where) -> Any:
    try:
        return column.cast(pa.string()).fill_null("")
    except pa.ArrowException:
        raise DataError(f"{where(0)}: the {role} is of type {column.type}, which cannot be read") from None


def _kind(text: str) -> TimeKind:
    if not pc.match_substring_regex(pa.array([text]), _DATE)[0].as_py():
        return "number"
    return "zoned date" if re.search(f"{_ZONE}|{_UTC}", text[10:]) else "date"


def _dates(texts: Any, where: Where, zoned: bool) -> Floats | Ints:
    stamp = pa.timestamp("ns", "UTC" if zoned else None)
    plain = pc.replace_substring_regex(texts, _UTC, "Z") if zoned else texts
    try:
        return seconds(plain.cast(stamp))
    except pa.ArrowInvalid:
        coarse = pa.timestamp("us", stamp.tz)
        for row, text in enumerate(plain.to_pylist()):
            try:
                pa.array([text]).cast(stamp)
            except pa.ArrowInvalid:
                if text.lower() in MISSING_WORDS:
                    raise DataError(f"{where(row)}: the timestamp {shown(text)} {_LEAVE_OUT}") from None
                _check_dates(_far(text, coarse), lambda _: f"{where(row)}: the timestamp {shown(texts[row].as_py())}")  # noqa: B023
                like = " with its zone, as the first one has it" if zoned else " without a zone, as the first one has it"
                raise DataError(f"{where(row)}: the timestamp {shown(text)} is not an ISO date{like}") from None
        raise


def _far(text: str, stamp: Any) -> Ints:
    """Return the seconds of a date that no nanoseconds reach, or 0 where it is no date."""
    try:
        return np.asarray(pa.array([text]).cast(stamp).cast(pa.int64())) // 1_000_000
    except pa.ArrowInvalid:
        return np.zeros(1, np.int64)
