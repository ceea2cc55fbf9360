"""The layout of a frame: a header of 14 bytes, the payload, and a CRC of 4 bytes over both.

Little-endian: magic ``CH``, version u8, kind u8, method u16, round u32, payload length u32, payload, crc32 u32.
`chordsim.wire.rows` frames and reads a whole chunk of messages at once.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from chordsim.errors import ScenarioError

MAGIC = b"CH"
VERSION = 1
HEADER = struct.Struct("<2sBBHII")
CRC = struct.Struct("<I")
#: What a frame adds to every payload.
OVERHEAD_BYTES = HEADER.size + CRC.size


def method_id(name: str) -> int:
    """Return the 16 bits that stand for a method on the wire."""
    return zlib.crc32(name.encode()) & 0xFFFF


def check_method_ids(names: Iterable[str]) -> None:
    """Refuse a set of methods of which two share an id.

    Raises:
        ScenarioError: Two names give the same 16 bits, so their messages could be taken for one another.
    """
    seen: dict[int, str] = {}
    for name in names:
        other = seen.setdefault(method_id(name), name)
        if other != name:
            raise ScenarioError(f"methods: {other!r} and {name!r} have the same id on the wire: rename one of them")


def check_round(round: int) -> None:
    """Raise ValueError for a round that does not fit 32 bits."""
    if not 0 <= round < 2**32:
        raise ValueError(f"round {round} does not fit 32 bits")
