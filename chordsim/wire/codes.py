"""The 2-bit codec: a plan of C channels is ceil(C / 4) bytes, four codes a byte, lowest bits first; and plans by their number alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Bytes
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload

Codes = npt.NDArray[np.uint8]
#: The four codes of each byte, one to a byte.
_SPREAD = ((np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3).astype(np.uint8).view("<u4")[:, 0]


def packed_bytes(channels: int) -> int:
    """Return the payload bytes of a plan over ``channels`` channels."""
    return -(-channels // 4)


def pack_codes(codes: Codes) -> Bytes:
    """Pack codes 0 to 3 of shape [D, C] into bytes of shape [D, ceil(C / 4)]; padding bits are zero.

    Raises:
        ValueError: A code is above 3.
    """
    if codes.size and int(codes.max()) > 3:
        raise ValueError(f"code {int(codes.max())}: codes run from 0 to 3")
    rows, channels = codes.shape
    width = packed_bytes(channels)
    if channels % 4:
        codes = np.concatenate([codes, np.zeros((rows, width * 4 - channels), np.uint8)], axis=1)
    quads = codes.reshape(rows, width, 4)
    return np.asarray(quads[..., 0] | quads[..., 1] << 2 | quads[..., 2] << 4 | quads[..., 3] << 6, np.uint8)


def unpack_codes(packed: Bytes, channels: int) -> Codes:
    """Return codes [D, channels] of packed rows [D, ceil(channels / 4)].

    Raises:
        BadPayload: The rows have another width or are not bytes, or padding bits are set.
    """
    if packed.dtype != np.uint8:
        raise BadPayload(f"a plan is bytes, not {packed.dtype}")
    if packed.ndim != 2 or packed.shape[1] != packed_bytes(channels):
        raise BadPayload(f"a plan of shape {packed.shape}: {channels} channels take {packed_bytes(channels)} bytes")
    codes, clean = _unpack(packed, channels)
    if not bool(clean.all()):
        raise BadPayload(f"a plan of {channels} channels has padding bits set")
    return codes


def decode_codes(rows: Ragged, channels: int) -> tuple[Codes, Bools]:
    """Return codes [D, channels] and which rows [D] are sound plans; other rows are all zero. Total."""
    packed, fits = rows.matrix(packed_bytes(channels))
    codes, clean = _unpack(packed, channels)
    sound = fits & clean
    codes[~sound] = 0
    return codes, sound


def number_bytes(plans: int) -> int:
    """Return the payload bytes of a plan's number among ``plans``: log2 of it, in whole bytes."""
    return max(-(-(plans - 1).bit_length() // 8), 1)


def pack_numbers(numbers: npt.NDArray[np.int64], plans: int) -> Bytes:
    """Return numbers [D] from 0 to ``plans`` - 1 as little-endian bytes [D, `number_bytes`]."""
    return np.ascontiguousarray(numbers.astype("<i8")).view(np.uint8).reshape(-1, 8)[:, : number_bytes(plans)]


def decode_numbers(rows: Ragged, plans: int) -> tuple[npt.NDArray[np.int64], Bools]:
    """Return numbers [D] below ``plans``, and which rows [D] are sound; others are 0. Total."""
    packed, fits = rows.matrix(number_bytes(plans))
    wide = np.zeros((len(rows), 8), np.uint8)
    wide[:, : packed.shape[1]] = packed
    numbers = wide.view("<i8")[:, 0].astype(np.int64)
    sound = fits & (numbers < plans)
    return np.where(sound, numbers, 0), sound


def _unpack(packed: Bytes, channels: int) -> tuple[Codes, Bools]:
    every = np.take(_SPREAD, packed).view(np.uint8).reshape(packed.shape[0], packed.shape[1] * 4)
    return np.ascontiguousarray(every[:, :channels]), np.asarray(~every[:, channels:].any(axis=1), np.bool_)
