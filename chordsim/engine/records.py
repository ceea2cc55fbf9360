"""Cell calls and replies as Flower records: bytes under stated names, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, RecordDict

from chordsim.engine.cell import CellCall, CellReply, pack_columns, unpack_columns
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload

SIM, BLOBS, WIRE = "sim.cell", "sim.blobs", "wire"
#: The category and action of every chordsim message.
ACTION = "query.cell"
HELLO = "query.hello"
#: Of an int or a float in a record.
_NUMBER_BYTES = 8


def call_to_record(call: CellCall) -> RecordDict:
    """Return a call as a record."""
    sim: dict[str, Any] = {"cell": call.cell, "header": json.dumps(call.header, sort_keys=True), "columns": pack_columns(call.columns)}
    return RecordDict({SIM: ConfigRecord(sim), BLOBS: ConfigRecord(dict(call.blobs)), **_wire(call.wire)})


def call_from_record(record: RecordDict) -> CellCall:
    """Return the call in a record.

    Raises:
        BadPayload: The record is not a call.
    """
    sim = _sim(record)
    try:
        header: Mapping[str, Any] = json.loads(str(sim["header"]))
        if not isinstance(header, dict):
            raise BadPayload("not a call of a cell: its header is not an object")
        blobs = {str(k): _bytes(v) for k, v in dict(_fields(record))[BLOBS].items()}
    except (KeyError, ValueError, RecursionError) as error:
        raise BadPayload(f"not a call of a cell: {error}") from error
    return CellCall(_int(sim, "cell"), header, unpack_columns(_bytes(sim.get("columns"))), _unwire(record), blobs)


def reply_to_record(reply: CellReply) -> RecordDict:
    """Return a reply as a record."""
    sim: dict[str, Any] = {"cell": reply.cell, "columns": pack_columns(reply.columns), "missing": list(reply.missing), "error": reply.error}
    sim["peak_rss_bytes"] = reply.peak_rss_bytes
    return RecordDict({SIM: ConfigRecord(sim), **_wire(reply.wire)})


def reply_from_record(record: RecordDict) -> CellReply:
    """Return the reply in a record.

    Raises:
        BadPayload: The record is not a reply.
    """
    sim = _sim(record)
    missing = sim.get("missing", [])
    if not isinstance(missing, list):
        raise BadPayload("a reply's missing digests are not a list")
    columns = unpack_columns(_bytes(sim.get("columns")))
    told = tuple(map(str, missing)), str(sim.get("error", ""))
    return CellReply(_int(sim, "cell"), columns, _unwire(record), *told, peak_rss_bytes=_int(sim, "peak_rss_bytes"))


def wire_bytes(record: RecordDict) -> int:
    """Return the encoded message bytes that a record carries: what the carrier itself counts."""
    return sum(len(_bytes(r["data"])) for name, r in _fields(record) if name.startswith(f"{WIRE}."))


def record_bytes(record: RecordDict) -> int:
    """Return the bytes of all that a record carries: messages, simulator columns, bootstrap parts and names.

    The same as Flower's own count, which however refuses empty texts and lists.
    """
    return sum(len(name) + _size(value) for _, fields in _fields(record) for name, value in fields.items())


def _size(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_size, value))
    if isinstance(value, str | bytes):
        return len(value)
    return 1 if isinstance(value, bool) else _NUMBER_BYTES


def _wire(wire: Mapping[str, Ragged]) -> dict[str, ConfigRecord]:
    return {
        f"{WIRE}.{kind}": ConfigRecord({"data": rows.data.tobytes(), "offsets": rows.offsets.astype("<i8").tobytes()})
        for kind, rows in wire.items()
    }


def _unwire(record: RecordDict) -> dict[str, Ragged]:
    out = {}
    for name, fields in _fields(record):
        if not name.startswith(f"{WIRE}."):
            continue
        data, offsets = _bytes(fields.get("data")), _bytes(fields.get("offsets"))
        try:
            out[name.removeprefix(f"{WIRE}.")] = Ragged(np.frombuffer(data, np.uint8), np.frombuffer(offsets, "<i8").astype(np.int64))
        except ValueError as error:
            raise BadPayload(f"record {name}: {error}") from error
    return out


def _sim(record: RecordDict) -> ConfigRecord:
    found = record.get(SIM)
    if not isinstance(found, ConfigRecord):
        raise BadPayload(f"no record {SIM}")
    return found


def _fields(record: RecordDict) -> Iterator[tuple[str, ConfigRecord]]:
    """Yield what `RecordDict.config_records` holds, which is copied, and checked anew, each time that it is asked for."""
    for name, fields in record.items():
        if isinstance(fields, ConfigRecord):
            yield name, fields


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise BadPayload(f"bytes expected, {type(value).__name__} found")
    return value


def _int(fields: ConfigRecord, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int):
        raise BadPayload(f"{name}: a whole number expected, {type(value).__name__} found")
    return value
