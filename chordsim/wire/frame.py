"""Frames: a header of 14 bytes, the payload, and a CRC of 4 bytes over both; written and read a whole chunk at a time.

Little-endian: magic ``CH``, version u8, kind u8, method u16, round u32, payload length u32, payload, crc32 u32.
The checks run from cheap to dear, so a hostile length or a message that nobody asked for costs no pass over
its payload. A test holds bytes and verdicts against frames that are written and read one by one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Bytes, Ints
from chordsim.errors import ScenarioError
from chordsim.methods import Kind
from chordsim.ragged import Ragged
from chordsim.wire import errors
from chordsim.wire.errors import Oversized
from chordsim.wire.limits import KIND_CODES, KINDS, MAX_PAYLOAD_BYTES

MAGIC = b"CH"
VERSION = 1
HEADER = struct.Struct("<2sBBHII")
CRC = struct.Struct("<I")
#: What a frame adds to every payload.
OVERHEAD_BYTES = HEADER.size + CRC.size

_FIELDS = np.dtype([("magic", "<u2"), ("version", "u1"), ("kind", "u1"), ("method", "<u2"), ("round", "<u4"), ("length", "<u4")])
_MAGIC_U16 = int.from_bytes(MAGIC, "little")
_HEADER_STEPS = np.arange(HEADER.size)
_CRC_STEPS = np.arange(CRC.size)


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


def encode_rows(kind: Kind, method: str, round: int, payloads: Ragged, present: Bools) -> Ragged:
    """Frame every present row; absent rows stay empty, whatever payload they hold.

    Args:
        kind: Kind of all rows.
        method: Name of the method.
        round: The round.
        payloads: One payload per device, D rows.
        present: Who sends, shape [D]. A present row with an empty payload is still a message of 18 bytes.

    Raises:
        Oversized: A payload is longer than its kind may be.
        ValueError: The round does not fit 32 bits, or ``present`` has another length.
    """
    check_round(round)
    if present.shape != (len(payloads),):
        raise ValueError(f"present has shape {present.shape}, not ({len(payloads)},)")
    payloads = payloads.keep(present)
    lengths = payloads.lengths
    longest = int(lengths.max(initial=0))
    if longest > MAX_PAYLOAD_BYTES[kind]:
        raise Oversized(f"a {kind} of {longest} bytes: at most {MAX_PAYLOAD_BYTES[kind]}")
    offsets = _offsets(lengths + np.where(present, OVERHEAD_BYTES, 0))
    if present.any() and (lengths[present] == longest).all():
        return Ragged(_alike(_header(kind, method, round, longest), payloads.data.reshape(int(present.sum()), longest)), offsets)
    data = np.zeros(int(offsets[-1]), np.uint8)
    starts = offsets[:-1][present]
    ends = offsets[1:][present] - CRC.size
    headers = np.zeros(starts.size, _FIELDS)
    headers["magic"], headers["version"], headers["kind"] = _MAGIC_U16, VERSION, KIND_CODES[kind]
    headers["method"], headers["round"], headers["length"] = method_id(method), round, lengths[present]
    data[starts[:, None] + _HEADER_STEPS] = headers.view(np.uint8).reshape(-1, HEADER.size)
    data[_span(data.size, starts + HEADER.size, ends)] = payloads.data
    data[ends[:, None] + _CRC_STEPS] = _crcs(data, starts, ends).view(np.uint8).reshape(-1, CRC.size)
    return Ragged(data, offsets)


def decode_rows(kind: Kind, method: str, round: int, rows: Ragged) -> tuple[Ragged, npt.NDArray[np.uint8]]:
    """Return the payload of every row that is the expected message, and a code into `ERROR_NAMES` per row.

    Total: any bytes in any row. A bad row's payload is empty and no other row is touched.

    Args:
        kind: Kind that was asked for.
        method: Name of the method.
        round: The round.
        rows: What arrived, one frame per device, D rows; empty where nothing came.
    """
    starts, sizes = rows.offsets[:-1], rows.lengths
    data = np.ascontiguousarray(rows.data)
    came = sizes > 0
    longest = int(sizes.max(initial=0))
    if 0 <= round < 2**32 and longest >= OVERHEAD_BYTES and (sizes[came] == longest).all():
        found = _all_sound(_header(kind, method, round, longest - OVERHEAD_BYTES), kind, data.reshape(-1, longest))
        if found is not None:
            kept = np.where(came, np.uint8(0), np.uint8(errors.Absent.code))
            return Ragged(found, _offsets(np.where(came, longest - OVERHEAD_BYTES, 0))), kept
    codes = np.zeros(len(rows), np.uint8)
    codes[sizes < OVERHEAD_BYTES] = errors.Truncated.code
    codes[sizes == 0] = errors.Absent.code
    whole = np.flatnonzero(codes == 0)
    heads = data[starts[whole, None] + _HEADER_STEPS].view(_FIELDS)[:, 0] if whole.size else np.zeros(0, _FIELDS)
    announced = heads["length"].astype(np.int64) + OVERHEAD_BYTES
    codes[whole] = np.select(
        [
            heads["magic"] != _MAGIC_U16,
            heads["version"] != VERSION,
            (heads["kind"] < 1) | (heads["kind"] > len(KINDS)),
            heads["kind"] != KIND_CODES[kind],
            heads["method"] != method_id(method),
            heads["round"] != round,
            announced - OVERHEAD_BYTES > MAX_PAYLOAD_BYTES[kind],
            sizes[whole] < announced,
            sizes[whole] > announced,
        ],
        [
            errors.BadMagic.code,
            errors.BadVersion.code,
            errors.BadKind.code,
            errors.WrongKind.code,
            errors.WrongMethod.code,
            errors.WrongRound.code,
            errors.Oversized.code,
            errors.Truncated.code,
            errors.TrailingBytes.code,
        ],
        default=0,
    )
    sound = np.flatnonzero(codes == 0)
    ends = starts[sound] + sizes[sound] - CRC.size
    if sound.size:
        written = data[ends[:, None] + _CRC_STEPS].view("<u4")[:, 0]
        codes[sound[written != _crcs(data, starts[sound], ends)]] = errors.BadCrc.code
    good = codes == 0
    first = starts[good] + HEADER.size
    last = rows.offsets[1:][good] - CRC.size
    return Ragged(data[_span(data.size, first, last)], _offsets(np.where(good, sizes - OVERHEAD_BYTES, 0))), codes


def _header(kind: Kind, method: str, round: int, length: int) -> Bytes:
    """Return the header of a message."""
    return np.frombuffer(HEADER.pack(MAGIC, VERSION, KIND_CODES[kind], method_id(method), round, length), np.uint8)


def _alike(header: Bytes, payloads: Bytes) -> Bytes:
    """Frame payloads of one length [D, n] and return the frames end to end: one header serves them all."""
    count, size = payloads.shape
    out = np.empty((count, size + OVERHEAD_BYTES), np.uint8)
    out[:, : HEADER.size] = header
    out[:, HEADER.size : -CRC.size] = payloads
    starts = np.arange(count) * out.shape[1]
    out[:, -CRC.size :] = _crcs(out.reshape(-1), starts, starts + out.shape[1] - CRC.size).view(np.uint8).reshape(-1, CRC.size)
    return out.reshape(-1)


def _all_sound(header: Bytes, kind: Kind, frames: Bytes) -> Bytes | None:
    """Return the payloads of frames of one length [D, n], end to end; None where any is not what was asked for."""
    count, size = frames.shape
    if size - OVERHEAD_BYTES > MAX_PAYLOAD_BYTES[kind] or not (frames[:, : HEADER.size] == header).all():
        return None
    starts = np.arange(count) * size
    written = np.ascontiguousarray(frames[:, -CRC.size :]).view("<u4")[:, 0]
    if not np.array_equal(written, _crcs(frames.reshape(-1), starts, starts + size - CRC.size)):
        return None
    return np.ascontiguousarray(frames[:, HEADER.size : -CRC.size]).reshape(-1)


def _crcs(data: Bytes, starts: Ints, ends: Ints) -> npt.NDArray[np.uint32]:
    """Return the CRC of each span of the data."""
    view = memoryview(data.data)
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    return np.fromiter((zlib.crc32(view[a:b]) for a, b in spans), np.dtype("<u4"), starts.size)


def _span(size: int, starts: Ints, ends: Ints) -> Bools:
    """Return a mask over ``size`` bytes that covers the spans; at least one byte lies between two of them."""
    some = ends > starts
    edge = np.zeros(size + 1, np.int8)
    edge[starts[some]] = 1
    edge[ends[some]] = -1
    return np.cumsum(edge[:-1], dtype=np.int8).view(np.bool_)


def _offsets(lengths: Ints) -> Ints:
    out = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=out[1:])
    return out
