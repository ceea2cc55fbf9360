"""The report that the simulator sends up for a phone: twice its rank u32, refusal u8, flags u8.

Twice the rank, because a tie takes the middle rank, which may be a half; 0 stands for "not ranked".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Bytes, Floats
from chordsim.methods import BINDINGS
from chordsim.ragged import Ragged

_REPORT = np.dtype([("rank2", "<u4"), ("refusal", "u1"), ("flags", "u1")])
#: Payload bytes of one report.
REPORT_BYTES = _REPORT.itemsize
#: Flag: the phone could not verify what it was sent (CRC, length, backbone), so it did not run it.
FLAG_UNVERIFIED = 1
_KNOWN_FLAGS = FLAG_UNVERIFIED


@dataclass(frozen=True)
class Reports:
    """What a chunk of phones reported, shape [D] each.

    Attributes:
        rank: Rank of the target from 1, halves for ties, NaN where the phone did not rank.
        refusal: Code into `BINDINGS`, 0 where the phone did not refuse.
        flags: Bits, see `FLAG_UNVERIFIED`.
    """

    rank: Floats
    refusal: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint8]


def pack_reports(reports: Reports) -> Bytes:
    """Return reports as bytes [D, 6].

    Raises:
        ValueError: A rank below 1, not a multiple of a half, or above 2^31 - 1.
    """
    rank2 = np.where(np.isnan(reports.rank), 0.0, reports.rank * 2.0)
    ranked = ~np.isnan(reports.rank)
    if bool(np.any(ranked & ((rank2 < 2) | (rank2 >= 2**32 - 1) | (rank2 != np.floor(rank2))))):
        raise ValueError("a rank is not 1, 1.5, 2, ...")
    out = np.zeros(rank2.size, _REPORT)
    out["rank2"], out["refusal"], out["flags"] = rank2.astype(np.uint32), reports.refusal, reports.flags
    return out.view(np.uint8).reshape(-1, REPORT_BYTES)


def unpack_reports(rows: Ragged, n_items: int) -> tuple[Reports, Bools]:
    """Return the reports and which rows [D] are sound; other rows say "not ranked, not refused". Total.

    Not sound: another length, a rank of a half or above ``n_items``, an unknown refusal or flag, and a rank
    together with a refusal or with `FLAG_UNVERIFIED`, since such a phone has not run the model.
    """
    packed, fits = rows.matrix(REPORT_BYTES)
    fields = packed.view(_REPORT)[:, 0] if len(rows) else np.zeros(0, _REPORT)
    rank2 = fields["rank2"].astype(np.int64)
    told = Reports(np.where(rank2 > 0, rank2 / 2.0, np.nan), fields["refusal"], fields["flags"])
    return checked(told, fits, n_items)


def checked(told: Reports, fits: Bools, n_items: int) -> tuple[Reports, Bools]:
    """Return the reports and which of them are sound, by the rules of `unpack_reports`; other rows say nothing.

    Args:
        told: What phones said, as numbers.
        fits: Which of it could be read at all, [D].
        n_items: Highest rank.
    """
    ranked, declined = ~np.isnan(told.rank), (told.refusal > 0) | (told.flags > 0)
    rank2 = np.where(ranked, 2 * told.rank, 2)
    sound = fits & (rank2 >= 2) & (rank2 <= 2 * n_items) & (rank2 == np.floor(rank2)) & ~(declined & ranked)
    sound &= (told.refusal < len(BINDINGS)) & (told.flags & ~np.uint8(_KNOWN_FLAGS) == 0)
    nothing = np.uint8(0)
    rank = np.where(sound, told.rank, np.nan)
    return Reports(rank, np.where(sound, told.refusal, nothing), np.where(sound, told.flags, nothing)), sound
