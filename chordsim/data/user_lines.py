"""Files of one user a line: ``user item_1 ... item_n``, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chordsim.data import values
from chordsim.data.blocks import Block
from chordsim.data.joining import Part
from chordsim.errors import DataError


class Sequences:
    """The reader of one file's blocks, which come in order."""

    def __init__(self, path: Path) -> None:
        """Prepare to read; ``path`` is for messages."""
        self._path = path
        self._line_of: dict[str, int] = {}

    def read(self, block: Block) -> Part | None:
        """Return a block's columns; None for one without rows.

        Raises:
            DataError: A user without items, a user who stands on two lines, or an id that is none; names the line.
        """
        text: Any = pa.array([block.data], pa.large_binary()).cast(pa.large_string())
        lines: Any = pc.ascii_trim_whitespace(pc.split_pattern(text, "\n").flatten())
        numbers = np.flatnonzero(np.asarray(pc.not_equal(lines, pa.scalar("", pa.large_string())))) + block.first_line
        if not numbers.size:
            return None
        split: Any = pc.ascii_split_whitespace(lines.take(pa.array(numbers - block.first_line)))
        widths = np.asarray(pc.list_value_length(split))
        words = split.flatten().cast(pa.string())
        starts = np.cumsum(widths) - widths
        lonely = values.first(widths < 2)
        if lonely is not None:
            user = values.shown(words[int(starts[lonely])].as_py())
            raise DataError(f"{self._path}: line {numbers[lonely]}: a user without items: {user}")
        is_item = np.ones(len(words), np.bool_)
        is_item[starts] = False
        owner = np.repeat(np.arange(widths.size), widths - 1)
        users = values.ids("user", words.take(pa.array(starts)), lambda row: f"{self._path}: line {numbers[row]}")
        items = values.ids("item", words.filter(pa.array(is_item)), lambda row: f"{self._path}: line {numbers[owner[row]]}")
        for number, user in zip(numbers.tolist(), users.dictionary.take(users.indices).to_pylist(), strict=True):
            if self._line_of.setdefault(user, number) != number:
                before = f"already stands on line {self._line_of[user]}; one line for each user"
                raise DataError(f'{self._path}: line {number}: user {user[:40]} {before}, or data.format = "blanks" for a table')
        each = pa.DictionaryArray.from_arrays(users.indices.take(pa.array(owner)), users.dictionary)
        return Part(each, items, None, None)
