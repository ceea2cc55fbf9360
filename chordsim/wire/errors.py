"""Why a message was not accepted: one class, one code and one name for each reason."""

from __future__ import annotations

from typing import ClassVar

from chordsim.errors import WireError


class FrameError(WireError):
    """A frame that does not decode. Its code is what the batched decoder writes for the row."""

    code: ClassVar[int]
    name: ClassVar[str]


class Absent(FrameError):
    """No bytes at all: nothing was sent."""

    code, name = 1, "absent"


class Truncated(FrameError):
    """Fewer bytes than a header and CRC take, or than the header announces."""

    code, name = 2, "truncated"


class BadMagic(FrameError):
    """The first two bytes are not chordsim's."""

    code, name = 3, "bad-magic"


class BadVersion(FrameError):
    """A wire version that this program does not speak."""

    code, name = 4, "bad-version"


class BadKind(FrameError):
    """A kind byte that stands for no kind."""

    code, name = 5, "bad-kind"


class WrongKind(FrameError):
    """A kind of message that was not asked for."""

    code, name = 6, "wrong-kind"


class WrongMethod(FrameError):
    """A message of another method."""

    code, name = 7, "wrong-method"


class WrongRound(FrameError):
    """A message of another round, such as a replayed one."""

    code, name = 8, "wrong-round"


class Oversized(FrameError):
    """A payload longer than its kind may be."""

    code, name = 9, "oversized"


class TrailingBytes(FrameError):
    """More bytes than the header announces."""

    code, name = 10, "trailing-bytes"


class BadCrc(FrameError):
    """Header or payload changed on the way."""

    code, name = 11, "bad-crc"


class BadPayload(WireError):
    """A payload of a sound frame that its codec does not accept: length, padding or values."""


FRAME_ERRORS: tuple[type[FrameError], ...] = (
    Absent,
    Truncated,
    BadMagic,
    BadVersion,
    BadKind,
    WrongKind,
    WrongMethod,
    WrongRound,
    Oversized,
    TrailingBytes,
    BadCrc,
)

#: Names by code; code 0 is a row that decoded.
ERROR_NAMES: tuple[str, ...] = ("ok", *(e.name for e in FRAME_ERRORS))
