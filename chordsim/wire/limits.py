"""The kinds of payload, their codes on the wire, and the most bytes that each may hold."""

from __future__ import annotations

from chordsim.methods import Kind

#: Kinds by code: the code on the wire is the position plus one, so that a zero byte is never a kind.
KINDS: tuple[Kind, ...] = ("profile", "prescription", "candidates", "update", "report", "asks", "rows")
KIND_CODES: dict[Kind, int] = {kind: code for code, kind in enumerate(KINDS, start=1)}

_KIB = 1024
_MIB = 1024 * _KIB

#: A decoder refuses a longer payload before it looks at a single byte of it.
MAX_PAYLOAD_BYTES: dict[Kind, int] = {
    "profile": 64 * _KIB,
    "prescription": 64 * _MIB,
    "candidates": 64 * _MIB,
    "update": 256 * _MIB,
    "report": 4 * _KIB,
    "asks": _MIB,
    "rows": 64 * _MIB,
}
