"""The decoders of the wire and of engine records, with sound messages for each."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from flwr.app import ConfigRecord, RecordDict

from benchmarks.fuzz.target import Target, expect, one_by_one
from chordsim.engine.cell import CellCall, pack_columns, unpack_columns
from chordsim.engine.records import BLOBS, SIM, call_from_record, call_to_record
from chordsim.methods import Budgets, Kind
from chordsim.nets import blobs
from chordsim.ragged import Ragged
from chordsim.wire.codes import decode_codes, decode_numbers, pack_codes, pack_numbers, unpack_codes
from chordsim.wire.floats import pack_budgets, pack_floats, unpack_budgets, unpack_floats
from chordsim.wire.frame import decode_rows, encode_rows
from chordsim.wire.ids import pack_ids, unpack_ids
from chordsim.wire.reports import Reports, pack_reports, unpack_reports


def decoders() -> dict[str, Target]:
    """Return them by name."""
    rng = np.random.default_rng(0)
    plan = pack_codes(rng.integers(0, 4, (4, 768), np.uint8))
    kinds: tuple[Kind, ...] = ("profile", "prescription", "report")
    payloads, sent = Ragged.of_matrix(plan[:2]), np.ones(2, np.bool_)
    frames = [row for kind in kinds for round in (1, 2) for row in encode_rows(kind, "chord-plus", round, payloads, sent)]
    numbers = pack_floats(rng.normal(size=(4, 64)))
    half = pack_floats(rng.normal(size=(4, 64)), 16)
    phones = Budgets(np.array([10**6, 10**9]), np.array([0.1, 1.0]), np.array([2.0, 3.0]), np.array([1e8, 1e10]))
    ranks = pack_reports(Reports(np.array([1.0, 7.5, np.nan]), np.array([0, 0, 2], np.uint8), np.array([0, 0, 0], np.uint8)))
    lists = pack_ids(rng.integers(0, 1701, (4, 100)), 1700)
    tensors = blobs.save({"a": torch.ones(8, 4), "b": torch.zeros(3, dtype=torch.int8)})
    columns = pack_columns({"device_id": np.arange(8), "active": np.ones(8, np.bool_), "up_fraction": np.ones((8, 2))})
    told = {"method": "chord", "round": 1, "legs": [["up", "report"]]}
    call = CellCall(1, told, {"device_id": np.arange(4)}, {"report": Ragged.empty(4)})
    record = call_to_record(call)
    offsets = np.array([0, 3, 3, 9], "<i8").tobytes()

    def batch(rows: Ragged) -> None:
        payloads, codes = decode_rows("prescription", "chord-plus", 1, rows)
        expect(len(payloads) == len(rows) == codes.size, "rows were lost")
        expect(not payloads.lengths[codes != 0].any(), "a bad row kept bytes")

    def finite(rows: Ragged, bits: Literal[32, 16]) -> None:
        values, sound = unpack_floats(rows, 64, bits)
        expect(np.isfinite(values).all() and not values[~sound].any(), "a number that is none came through")

    def budgets(rows: Ragged) -> None:
        found, _ = unpack_budgets(rows.matrix(20)[0])
        fair = np.isfinite(found.latency_s) & (found.macs_per_s > 0) & (found.memory_bytes >= 0)
        expect(fair.all(), "a budget that is none")

    def reports(rows: Ragged) -> None:
        found, _ = unpack_reports(rows, 1701)
        ranked = found.rank[~np.isnan(found.rank)]
        expect(((ranked >= 1) & (ranked <= 1701)).all(), "a rank that is none came through")

    def ids(rows: Ragged) -> None:
        found, _ = unpack_ids(rows, 100, 1700)
        expect(((found >= 0) & (found <= 1700)).all(), "an id outside the catalogue came through")

    def codes(rows: Ragged) -> None:
        found, sound = decode_codes(rows, 767)
        expect(found.max(initial=0) <= 3 and not found[~sound].any(), "a code that is none came through")

    def chosen(rows: Ragged) -> None:
        found, sound = decode_numbers(rows, 300)
        expect(((found >= 0) & (found < 300)).all() and not found[~sound].any(), "a number of no plan came through")

    def one_plan(row: bytes) -> None:
        unpack_codes(np.frombuffer(row, np.uint8)[None], 768)

    def header(row: bytes) -> None:
        sim = record.config_records[SIM]
        text = row.decode("utf-8", "replace")
        call_from_record(RecordDict({SIM: ConfigRecord({**sim, "header": text}), BLOBS: ConfigRecord({})}))

    def packed(row: bytes) -> None:
        sim = record.config_records[SIM]
        call_from_record(RecordDict({SIM: ConfigRecord({**sim, "columns": row}), BLOBS: ConfigRecord({})}))

    def wire(row: bytes) -> None:
        fields = ConfigRecord({"data": bytes(9), "offsets": row})
        made = call_from_record(RecordDict({**record.config_records, "wire.report": fields}))
        for found in made.wire.values():
            decode_rows("report", "chord", 1, found)

    return {
        "frames": Target(frames, batch, 6, True),
        "plan": Target([row.tobytes() for row in plan], codes, 4),
        "plan, one": Target([row.tobytes() for row in plan], one_by_one(one_plan), 1),
        "plan's number": Target([row.tobytes() for row in pack_numbers(np.array([0, 7, 299]), 300)], chosen, 1),
        "numbers": Target([row.tobytes() for row in numbers], lambda rows: finite(rows, 32), 3),
        "half numbers": Target([row.tobytes() for row in half], lambda rows: finite(rows, 16), 2),
        "budgets": Target([row.tobytes() for row in pack_budgets(phones)], budgets, 3),
        "report": Target([row.tobytes() for row in ranks], reports, 4),
        "ids": Target([row.tobytes() for row in lists], ids, 2),
        "blob": Target([tensors], one_by_one(lambda row: blobs.load(row, {"a": (8, 4), "b": (3,)})), 0.5),
        "columns": Target([columns], one_by_one(unpack_columns), 0.5),
        "call header": Target([str(record.config_records[SIM]["header"]).encode()], one_by_one(header), 0.1),
        "call columns": Target([bytes(record.config_records[SIM]["columns"])], one_by_one(packed), 0.1),  # type: ignore[arg-type]
        "call messages": Target([offsets], one_by_one(wire), 0.1),
    }
