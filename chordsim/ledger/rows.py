"""The ledger rows of one method in one round, as columns: checked for shape and type when they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Floats, Ints
from chordsim.errors import InvariantError
from chordsim.ledger.columns import BY_NAME, LIST, PER_ROW, Column

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """D rows, by ascending device id. Make them with `Rows.of`.

    Attributes:
        method: The method of all rows.
        round: The round of all rows.
        values: Every per-row column in contract order, shape [D]: int64, float64, or for text int64 codes
            into ``words``. A null holds 0.
        nulls: For nullable columns only: which rows have no value, shape [D].
        words: For text columns only: the text of each code.
        lists: Items that each phone ranked first, int32 [D, k], 0 pads; None where a run keeps none.
    """

    method: str
    round: int
    values: Mapping[str, Array]
    nulls: Mapping[str, Bools]
    words: Mapping[str, tuple[str, ...]]
    lists: npt.NDArray[np.int32] | None = None

    @classmethod
    def of(cls, method: str, round: int, columns: Mapping[str, Any], *, tiers: Sequence[str] = ()) -> Rows:
        """Take columns as the round loop makes them.

        Args:
            method: The method.
            round: The round, from 1.
            columns: Every column of the contract but method and round, shape [D] each. A NaN is a null, also
                in an integer column given as floats. A text column holds texts, or integer codes into its
                words. Lists, [D, k], where they are kept, under `LIST`.
            tiers: What the codes of ``tier`` stand for; not needed where ``tier`` holds texts.

        Raises:
            InvariantError: A column is missing, unknown, of the wrong type or length, or holds a null or a word
                that it may not, or device ids do not ascend. The text names the column and the device.
        """
        where = _Where(method, round)
        stray = sorted((set(columns) - {LIST}) ^ {column.name for column in PER_ROW})
        if stray:
            raise where.error(stray[0], "is missing" if stray[0] in BY_NAME else "is not in the contract")
        ids = np.asarray(columns["device_id"])
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise where.error("device_id", f"is {ids.dtype} of shape {ids.shape}, not one row of integers")
        where = _Where(method, round, ids)
        values: dict[str, Array] = {}
        nulls: dict[str, Bools] = {}
        words: dict[str, tuple[str, ...]] = {}
        for column in PER_ROW:
            given = np.asarray(columns[column.name])
            if given.shape != ids.shape:
                raise where.error(column.name, f"has shape {given.shape}, not {ids.shape}")
            if column.dtype == "str":
                values[column.name], words[column.name] = _text(column, given, tuple(tiers), where)
            else:
                values[column.name], null = _number(column, given, where)
                if column.nullable:
                    nulls[column.name] = null
        where.refuse("device_id", np.concatenate([[False], np.diff(values["device_id"]) <= 0]), "is not above the one before")
        lists = _lists(np.asarray(columns[LIST]), nulls["rank"], where) if LIST in columns else None
        return cls(method, round, values, nulls, words, lists)

    def __len__(self) -> int:
        return self.values["device_id"].size

    def __getitem__(self, name: str) -> Array:
        return self.values[name]

    def floats(self, name: str) -> Floats:
        """Return a numeric column as float64 [D] with NaN for null."""
        values = self.values[name].astype(np.float64)
        if name in self.nulls:
            values[self.nulls[name]] = np.nan
        return values

    def texts(self, name: str) -> npt.NDArray[np.str_]:
        """Return a text column [D]."""
        return np.array(self.words[name] or ("",), np.str_)[self.values[name]]

    def of_nobody(self) -> Rows:
        """Return the rows as one user's, for sums in which none is told apart."""
        return replace(self, values={**self.values, "user_id": np.zeros(len(self), np.int64)})

    def is_word(self, name: str, *texts: str) -> Bools:
        """Return where a text column holds one of the texts, shape [D]."""
        return np.array([word in texts for word in self.words[name]] or [False], np.bool_)[self.values[name]]


@dataclass(frozen=True)
class _Where:
    """Names the place of a fault: method, round and device."""

    method: str
    round: int
    ids: Array | None = None

    def error(self, column: str, what: str, row: int | None = None) -> InvariantError:
        device = "" if row is None or self.ids is None else f", device {self.ids[row]}"
        return InvariantError(f"ledger of {self.method}, round {self.round}{device}: {column} {what}")

    def refuse(self, column: str, bad: Bools, what: str) -> None:
        if bool(bad.any()):
            raise self.error(column, what, int(np.argmax(bad)))


def _number(column: Column, given: Array, where: _Where) -> tuple[Array, Bools]:
    """Return values as the contract's type with 0 for null, and where they are null."""
    if given.dtype.kind not in "iuf":
        raise where.error(column.name, f"is {given.dtype}, not {column.dtype}")
    is_float = given.dtype.kind == "f"
    null = np.isnan(given) if is_float else np.zeros(given.shape, np.bool_)
    if not column.nullable:
        where.refuse(column.name, null, "is null")
    if column.dtype == "float64":
        # Adding zero turns -0.0 into 0.0, so that equal numbers have equal bytes.
        return np.where(null, 0.0, given).astype(np.float64) + 0.0, null
    if not is_float:
        if given.dtype == np.uint64:
            where.refuse(column.name, given > np.uint64(2**63 - 1), "does not fit int64")
        return given.astype(np.int64), null
    filled = np.where(null, 0.0, given)
    where.refuse(column.name, (filled != np.floor(filled)) | (np.abs(filled) > 2**53), "is not a whole number")
    return filled.astype(np.int64), null


def _text(column: Column, given: Array, tiers: tuple[str, ...], where: _Where) -> tuple[Ints, tuple[str, ...]]:
    """Return codes [D] and what they stand for."""
    words = column.words or tiers
    if given.dtype.kind in "iu":
        codes = given.astype(np.int64)
        where.refuse(column.name, (codes < 0) | (codes >= len(words)), f"is a code outside its {len(words)} words")
        return codes, words
    if given.dtype.kind not in "UO":
        raise where.error(column.name, f"is {given.dtype}, neither texts nor codes")
    where.refuse(column.name, np.array([not isinstance(x, str) for x in given.tolist()], np.bool_), "is not a text")
    found, codes = np.unique(given.astype(np.str_), return_inverse=True)
    if not words:
        return codes.astype(np.int64), tuple(found.tolist())
    known = np.array([words.index(word) if word in words else -1 for word in found.tolist()], np.int64)
    mapped = known[codes] if codes.size else codes.astype(np.int64)
    where.refuse(column.name, mapped < 0, f"is not one of {', '.join(words)}")
    return mapped, words


def _lists(given: Array, unranked: Bools, where: _Where) -> npt.NDArray[np.int32]:
    """Return lists as int32 [D, k]; a phone that did not rank has none."""
    if given.ndim != 2 or given.shape[0] != unranked.size or not given.shape[1] or given.dtype.kind not in "iu":
        raise where.error(LIST, f"is {given.dtype} of shape {given.shape}, not {unranked.size} rows of integers")
    where.refuse(LIST, np.asarray(((given < 0) | (given >= 2**31)).any(1)), "holds what is no item")
    where.refuse(LIST, unranked & np.asarray((given != 0).any(1)), "is not empty, yet the model did not rank")
    where.refuse(LIST, np.asarray(((given[:, :-1] == 0) & (given[:, 1:] != 0)).any(1)), "has a gap")
    return np.ascontiguousarray(given, np.int32)


def joined(parts: Sequence[Rows]) -> Rows:
    """Return one method's round from its parts, which follow one another by device id."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in first.values}
    nulls = {name: np.concatenate([part.nulls[name] for part in parts]) for name in first.nulls}
    lists = [part.lists for part in parts if part.lists is not None]
    return Rows(first.method, first.round, values, nulls, first.words, np.concatenate(lists) if lists else None)
