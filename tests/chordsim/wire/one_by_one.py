"""Frames one by one, written apart from `chordsim.wire.frame`: the reference that its bytes and verdicts are held against.

The checks run from cheap to dear, so a hostile length or a message that nobody asked for costs no pass over
its payload.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from chordsim.methods import Kind
from chordsim.wire.errors import (
    Absent,
    BadCrc,
    BadKind,
    BadMagic,
    BadVersion,
    Oversized,
    TrailingBytes,
    Truncated,
    WrongKind,
    WrongMethod,
    WrongRound,
)
from chordsim.wire.frame import CRC, HEADER, MAGIC, OVERHEAD_BYTES, VERSION, check_round, method_id
from chordsim.wire.limits import KIND_CODES, KINDS, MAX_PAYLOAD_BYTES


@dataclass(frozen=True)
class Header:
    """What a receiver expects: kind, method by name, round."""

    kind: Kind
    method: str
    round: int


@dataclass(frozen=True)
class Message:
    """A decoded frame. The method is its 16-bit id, see `method_id`."""

    kind: Kind
    method_id: int
    round: int
    payload: bytes


def encode(kind: Kind, method: str, round: int, payload: bytes) -> bytes:
    """Return the frame of one payload, `OVERHEAD_BYTES` longer than it.

    Raises:
        Oversized: The payload is longer than its kind may be.
        ValueError: The round does not fit 32 bits.
    """
    check_round(round)
    if len(payload) > MAX_PAYLOAD_BYTES[kind]:
        raise Oversized(f"a {kind} of {len(payload)} bytes: at most {MAX_PAYLOAD_BYTES[kind]}")
    body = HEADER.pack(MAGIC, VERSION, KIND_CODES[kind], method_id(method), round, len(payload)) + payload
    return body + CRC.pack(zlib.crc32(body))


def decode(data: bytes, *, expect: Header | None = None) -> Message:
    """Return the message in ``data``. Total: any byte string gives a message or a `FrameError`.

    Args:
        data: Exactly one frame.
        expect: What the receiver asked for; None accepts any kind, method and round.

    Raises:
        FrameError: The subclass says why.
    """
    if not data:
        raise Absent("no message")
    if len(data) < OVERHEAD_BYTES:
        raise Truncated(f"{len(data)} bytes: a frame has at least {OVERHEAD_BYTES}")
    magic, version, code, method, round, length = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise BadMagic(f"starts with {magic!r}, not {MAGIC!r}")
    if version != VERSION:
        raise BadVersion(f"wire version {version}: this program speaks {VERSION}")
    if not 1 <= code <= len(KINDS):
        raise BadKind(f"kind {code}: kinds run from 1 to {len(KINDS)}")
    kind = KINDS[code - 1]
    if expect is not None:
        _check_expected(expect, kind, method, round)
    if length > MAX_PAYLOAD_BYTES[kind]:
        raise Oversized(f"a {kind} of {length} bytes: at most {MAX_PAYLOAD_BYTES[kind]}")
    end = HEADER.size + length
    if len(data) < end + CRC.size:
        raise Truncated(f"{len(data)} bytes: the header announces {end + CRC.size}")
    if len(data) > end + CRC.size:
        raise TrailingBytes(f"{len(data)} bytes: the header announces {end + CRC.size}")
    if CRC.unpack_from(data, end)[0] != zlib.crc32(memoryview(data)[:end]):
        raise BadCrc("the CRC does not match")
    return Message(kind, method, round, data[HEADER.size : end])


def _check_expected(expect: Header, kind: Kind, method: int, round: int) -> None:
    if kind != expect.kind:
        raise WrongKind(f"a {kind}, not a {expect.kind}")
    if method != method_id(expect.method):
        raise WrongMethod(f"method id {method}, not {method_id(expect.method)} of {expect.method}")
    if round != expect.round:
        raise WrongRound(f"round {round}, not {expect.round}")
