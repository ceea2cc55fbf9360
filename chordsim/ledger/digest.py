"""The hash of a ledger, byte by byte as docs/ledger.md lays it down, so that anyone can recompute it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from chordsim.ledger.columns import COLUMNS, LIST, Column
from chordsim.ledger.rows import Rows

#: First bytes of every digest's input; changes whenever the layout does.
PREAMBLE = b"chordsim-ledger-2\n"
_TYPE_BYTES = {"int64": b"i", "float64": b"f", "str": b"s"}
#: Of lists, which are hashed where a run keeps them: a ledger without is hashed as it was before there were any.
_LIST_BYTE = b"l"


def rows_digest(rows: Rows) -> bytes:
    """Return the SHA-256 (32 bytes) of the rows of one method in one round."""
    count = len(rows)
    digest = hashlib.sha256(PREAMBLE)
    digest.update(count.to_bytes(8, "little") + len(COLUMNS).to_bytes(4, "little"))
    none = np.zeros(count, np.bool_)
    for column in COLUMNS:
        digest.update(_prefixed(column.name) + _TYPE_BYTES[column.dtype])
        digest.update(np.packbits(rows.nulls.get(column.name, none), bitorder="little").data)
        digest.update(_payload(rows, column))
    if rows.lists is not None:
        digest.update(_prefixed(LIST) + _LIST_BYTE + rows.lists.shape[1].to_bytes(4, "little"))
        digest.update(np.ascontiguousarray(rows.lists, "<i4").data)
    return digest.digest()


def ledger_sha256(digests: Mapping[tuple[str, int], bytes]) -> str:
    """Return the hash of a whole ledger in hexadecimal.

    Args:
        digests: `rows_digest` by (method, round). They are hashed by method name, as UTF-8 bytes, then round,
            so the order in which a run wrote them does not matter.
    """
    whole = hashlib.sha256()
    for _, digest in sorted(digests.items(), key=lambda item: (item[0][0].encode(), item[0][1])):
        whole.update(digest)
    return whole.hexdigest()


def _payload(rows: Rows, column: Column) -> memoryview | bytes:
    """Return the column's values as they are hashed."""
    if column.name == "method":
        return _prefixed(rows.method) * len(rows)
    if column.name == "round":
        return np.full(len(rows), rows.round, "<i8").tobytes()
    values = rows[column.name]
    if column.dtype == "str":
        return _texts(values, rows.words[column.name])
    return np.ascontiguousarray(values, "<i8" if column.dtype == "int64" else "<f8").data


def _texts(codes: npt.NDArray[np.int64], words: tuple[str, ...]) -> bytes:
    """Return every row's text, length-prefixed, end to end."""
    parts = [_prefixed(word) for word in words]
    width = max((len(part) for part in parts), default=0)
    table = np.zeros((len(parts), width), np.uint8)
    used = np.zeros((len(parts), width), np.bool_)
    for code, part in enumerate(parts):
        table[code, : len(part)] = np.frombuffer(part, np.uint8)
        used[code, : len(part)] = True
    return table[codes][used[codes]].tobytes()


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "little") + data
