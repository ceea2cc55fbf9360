"""Feeds damaged messages to every decoder: `python benchmarks/fuzz.py --messages 10000000 --processes 2`.

Each decoder gets sound messages that were flipped, cut, grown, spliced, overwritten with awkward values or
replaced by noise, with and without a CRC that was made to match again. Anything but a result or a typed error
counts as a crash and is printed with the message that caused it. The exit code is 0 only if there was none.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import tempfile
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import safetensors.torch
import torch
from flwr.app import ConfigRecord, RecordDict

from chordsim import methods
from chordsim.config.model import BackboneConfig, DataConfig, RoundsConfig, Scenario, SyntheticConfig, TrainingConfig
from chordsim.engine.cell import CellCall, pack_columns, unpack_columns
from chordsim.engine.records import BLOBS, SIM, call_from_record, call_to_record
from chordsim.errors import ChordsimError
from chordsim.methods import Batch, Budgets, Leg
from chordsim.nets import blobs
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.settings import resolve_settings
from chordsim.wire.codes import decode_codes, pack_codes, unpack_codes
from chordsim.wire.floats import pack_budgets, pack_floats, unpack_budgets, unpack_floats
from chordsim.wire.frame import CRC, HEADER, Header, decode, encode
from chordsim.wire.ids import pack_ids, unpack_ids
from chordsim.wire.report import Reports, pack_reports, unpack_reports
from chordsim.wire.rows import decode_rows
from chordsim.world import build

ROWS = 64
AWKWARD = [
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    struct.pack("<f", float("nan")),
    struct.pack("<f", float("inf")),
    struct.pack("<f", float("-inf")),
    struct.pack("<f", 3.4e38),
    struct.pack("<I", 2**31),
    struct.pack("<I", 2**32 - 1),
]


@dataclass(frozen=True)
class Target:
    """One decoder.

    Attributes:
        seeds: Sound messages.
        feed: Decodes a batch; raises only on a crash.
        share: Weight in the number of messages.
        framed: Whether half of the mutants get a CRC that matches.
    """

    seeds: list[bytes]
    feed: Callable[[Ragged], None]
    share: float = 1.0
    framed: bool = False


def mutants(seeds: list[bytes], count: int, rng: np.random.Generator, framed: bool = False) -> Ragged:
    """Return ``count`` damaged copies of sound messages, one in sixteen of them undamaged."""
    width = max(len(seed) for seed in seeds) + 8
    table = np.zeros((len(seeds), width), np.uint8)
    for row, seed in enumerate(seeds):
        table[row, : len(seed)] = np.frombuffer(seed, np.uint8)
    pick = rng.integers(0, len(seeds), count)
    data = table[pick]
    lengths = np.array([len(seed) for seed in seeds], np.int64)[pick]
    how = rng.integers(0, 16, count)
    every = np.arange(count)
    place = lambda: (rng.random(count) * np.maximum(lengths, 1)).astype(np.int64)  # noqa: E731
    for _ in range(3):
        flip = np.flatnonzero(how < 5)
        data[flip, place()[flip]] ^= np.uint8(1) << rng.integers(0, 8, flip.size).astype(np.uint8)
    over = np.flatnonzero((how >= 5) & (how < 9))
    awkward = np.frombuffer(b"".join(AWKWARD), np.uint8).reshape(-1, 4)[rng.integers(0, len(AWKWARD), over.size)]
    # Fields lie on even places in every format here.
    data[over[:, None], np.minimum(place()[over] & ~1, width - 4)[:, None] + np.arange(4)] = awkward
    splice = np.flatnonzero(how == 9)
    other = table[rng.integers(0, len(seeds), splice.size)]
    data[splice] = np.where(np.arange(width) < place()[splice, None], data[splice], other)
    noise = np.flatnonzero(how == 10)
    data[noise] = rng.integers(0, 256, (noise.size, width), np.uint8)
    if framed:
        _mend(data, lengths, np.flatnonzero(rng.random(count) < 0.5))
    cut, grow = how == 11, how == 12
    lengths = np.where(cut, place(), np.where(grow, lengths + rng.integers(1, 9, count), lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    inside = np.arange(width) < lengths[:, None]
    return Ragged(data[every][inside], offsets)


def _mend(data: np.ndarray, lengths: np.ndarray, rows: np.ndarray) -> None:
    """Write the length and the CRC that fit, so that the damage reaches what lies behind them."""
    for row in rows.tolist():
        end = int(lengths[row]) - CRC.size
        if end >= HEADER.size:
            body = data[row]
            body[HEADER.size - 4 : HEADER.size] = np.frombuffer(struct.pack("<I", end - HEADER.size), np.uint8)
            body[end : end + CRC.size] = np.frombuffer(CRC.pack(zlib.crc32(body[:end].tobytes())), np.uint8)


def one_by_one(call: Callable[[bytes], object]) -> Callable[[Ragged], None]:
    """Return a feeder of a decoder that takes one message and may refuse it with a typed error."""

    def feed(rows: Ragged) -> None:
        for row in rows:
            try:
                call(row)
            except ChordsimError:
                continue

    return feed


def expect(condition: object, what: str) -> None:
    """Raise where a decoder broke its word."""
    if not condition:
        raise AssertionError(what)


def targets() -> dict[str, Target]:
    """Return all decoders by name, with sound messages for each."""
    rng = np.random.default_rng(0)
    plan = pack_codes(rng.integers(0, 4, (4, 768), np.uint8))
    kinds = ("profile", "prescription", "report")
    frames = [encode(kind, "chord-plus", round, row.tobytes()) for kind in kinds for round in (1, 2) for row in plan[:2]]
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

    def frame(row: bytes) -> None:
        decode(row, expect=Header("prescription", "chord-plus", 1))

    def batch(rows: Ragged) -> None:
        payloads, codes = decode_rows("prescription", "chord-plus", 1, rows)
        expect(len(payloads) == len(rows) == codes.size, "rows were lost")
        expect(not payloads.lengths[codes != 0].any(), "a bad row kept bytes")

    def finite(rows: Ragged, bits: int) -> None:
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
        "frame": Target(frames, one_by_one(frame), 1, True),
        "frames of a chunk": Target(frames, batch, 6, True),
        "plan": Target([row.tobytes() for row in plan], codes, 4),
        "plan, one": Target([row.tobytes() for row in plan], one_by_one(one_plan), 1),
        "numbers": Target([row.tobytes() for row in numbers], lambda rows: finite(rows, 32), 3),
        "half numbers": Target([row.tobytes() for row in half], lambda rows: finite(rows, 16), 2),
        "budgets": Target([row.tobytes() for row in pack_budgets(phones)], budgets, 3),
        "report": Target([row.tobytes() for row in ranks], reports, 4),
        "ids": Target([row.tobytes() for row in lists], ids, 2),
        "blob": Target([tensors], one_by_one(lambda row: blobs.load(row, {"a": (8, 4), "b": (3,)})), 0.5),
        "columns": Target([columns], one_by_one(unpack_columns), 0.5),
        "call header": Target([str(record.config_records[SIM]["header"]).encode()], one_by_one(header), 0.3),
        "call columns": Target([bytes(record.config_records[SIM]["columns"])], one_by_one(packed), 0.3),  # type: ignore[arg-type]
        "call messages": Target([offsets], one_by_one(wire), 0.3),
        **method_targets(),
    }


def method_targets() -> dict[str, Target]:
    """Return what the shipped halves of `chord-plus` read: blobs, plans, profiles."""
    from server.training import cache

    scenario = Scenario(
        methods=("chord-plus",),
        data=DataConfig(source="synthetic", synthetic=SyntheticConfig(users=80, items=50, groups=4, mean_length=16.0)),
        backbone=BackboneConfig(dim=16, ffn_dim=16, max_len=12),
        training=TrainingConfig(max_steps=3, batch=16, eval_every=3, threads=1),
        rounds=RoundsConfig(count=1),
        settings={"chord-plus": {"profile_dim": 8}},
    )
    world = build(resolve_settings(scenario))
    spec, context = world.specs["chord-plus"], world.context("chord-plus")
    cloud, device = methods.load(spec.cloud)(context), methods.load(spec.device)(context)
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("CHORDSIM_CACHE")
        os.environ["CHORDSIM_CACHE"] = folder
        state, _ = cache.trained(cloud, world.logs, Silent())
        os.environ.pop("CHORDSIM_CACHE") if before is None else os.environ.update(CHORDSIM_CACHE=before)
    bootstrap = {blob.label: blob.data for blob in cloud.bootstrap(state)}
    model = device.load(bootstrap)
    ids = np.arange(ROWS)
    who = Batch(ids, np.ones(ROWS, np.bool_), 1, world.population.profiles(ids).budgets)
    history = world.split.history(world.population.users(ids), 1, context.backbone.max_len)
    up, down = Leg("up", "profile"), Leg("down", "prescription")
    with torch.inference_mode():
        profiles = device.act(model, {}, up, who, history, Ragged.empty(ROWS)).outbox
        plans = cloud.respond(state, down, replace(who, budgets=None), profiles).outbox

    def profile(rows: Ragged) -> None:
        rows = Ragged.concat([rows, Ragged.empty(ROWS - len(rows))])
        turn = cloud.respond(state, down, replace(who, budgets=None), rows)
        expect(len(turn.outbox) == ROWS and not turn.outbox.lengths[turn.refusal > 0].any(), "a refused phone got a plan")

    def plan(rows: Ragged) -> None:
        rows = Ragged.concat([rows, Ragged.empty(ROWS - len(rows))])
        with torch.inference_mode():
            turn = device.act(model, {}, down, who, history, rows)
        expect(np.isfinite(turn.scores[turn.refusal == 0]).all(), "a score that is no number")

    def blob(label: str) -> Target:
        seeds = [bootstrap[label]] if label == "backbone" else unlike(bootstrap[label])
        return Target(seeds, one_by_one(lambda row: device.load({**bootstrap, label: row})), 0.05)

    some = [row for row in plans if row][:8]
    return {
        "profile at the cloud": Target(list(profiles)[:8], profile, 0.5),
        "plan on the phone": Target(some, plan, 0.2),
        **{f"bootstrap: {label}": blob(label) for label in bootstrap},
    }


def unlike(blob: bytes) -> list[bytes]:
    """Return a blob of tensors and some that are well made, but hold other things."""
    tensors = safetensors.torch.load(blob)
    kinds = (torch.float32, torch.float16, torch.float64, torch.bfloat16, torch.int8, torch.uint8, torch.int64, torch.bool)
    other = [{name: value.to(kind) for name, value in tensors.items()} for kind in kinds]
    none = {name: value.float() * float("nan") for name, value in tensors.items()}
    more = {**tensors, "extra": torch.ones(3), **{f"{name}.scale": torch.ones(2, 2) for name in tensors}}
    return [blob, *(safetensors.torch.save(t) for t in (*other, none, more, {}, {"x": torch.ones(1)}))]


def fuzz(name: str, messages: int, seed: int) -> tuple[int, list[str], float]:
    """Feed one decoder; return (messages fed, crashes, the longest batch in seconds a message)."""
    target = _TARGETS[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    fed, crashes, slowest = 0, [], 0.0
    while fed < messages and len(crashes) < 5:
        rows = mutants(target.seeds, min(ROWS, messages - fed), rng, target.framed)
        began = time.perf_counter()
        try:
            target.feed(rows)
        except Exception as error:  # a fuzzer's whole purpose is to see what else comes out
            crashes.append(f"{name}: {type(error).__name__}: {error}: {culprit(target, rows)}")
        slowest = max(slowest, (time.perf_counter() - began) / len(rows))
        fed += len(rows)
    return fed, crashes, slowest


def culprit(target: Target, rows: Ragged) -> str:
    """Return the first message that crashes alone, in hexadecimal."""
    for row in rows:
        try:
            target.feed(Ragged.of_rows([row]))
        except Exception:  # as above
            return row[:200].hex()
    return "no single message"


def large(target: Target, size: int, rng: np.random.Generator) -> int:
    """Return the most bytes that Python objects took while messages of ``size`` bytes were decoded."""
    most = 0
    for _ in range(8):
        seed = target.seeds[int(rng.integers(len(target.seeds)))]
        noise = rng.integers(0, 256, size, np.uint8).tobytes()
        row = mutants([(seed + noise)[:size]], 1, rng, target.framed)
        tracemalloc.start()
        target.feed(row)
        most = max(most, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return most


def _worker(job: tuple[str, int, int]) -> tuple[str, int, list[str], float, int]:
    fed, crashes, slowest = fuzz(*job)
    return job[0], fed, crashes, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


_TARGETS: dict[str, Target] = {}


def _start() -> None:
    torch.set_num_threads(1)
    _TARGETS.update(targets())


def main() -> int:
    """Fuzz and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="where to write the counts as JSON")
    given = parser.parse_args()
    _start()
    total = sum(target.share for target in _TARGETS.values())
    jobs = []
    for name, target in _TARGETS.items():
        each = round(given.messages * target.share / total / given.processes)
        jobs += [(name, each, given.seed + part) for part in range(given.processes)]
    memory = {name: large(target, 64 * 1024, np.random.default_rng(given.seed)) for name, target in _TARGETS.items()}
    began, counts, crashes, slowest, peak = time.monotonic(), Counter[str](), [], 0.0, 0
    with ProcessPoolExecutor(given.processes, get_context("spawn"), initializer=_start) as pool:
        for name, fed, bad, slow, rss in pool.map(_worker, jobs):
            counts[name] += fed
            crashes += bad
            slowest, peak = max(slowest, slow), max(peak, rss)
    for name, count in counts.items():
        print(f"{count:>12,}  {name} ({memory[name] / 2**20:.2f} MiB for a message of 64 kB)")
    seconds = time.monotonic() - began
    print(f"{counts.total():>12,}  messages in {seconds:.0f} s; {len(crashes)} crashes")
    print(f"slowest {slowest * 1e3:.1f} ms a message; peak RSS {peak / 2**20:.0f} MiB")
    for crash in crashes:
        print(crash)
    if given.out:
        with open(given.out, "w") as file:
            json.dump({"messages": dict(counts), "crashes": crashes, "slowest_s": slowest, "memory_bytes": memory}, file, indent=1)
    return 1 if crashes or max(memory.values()) > 16 * 2**20 else 0


if __name__ == "__main__":
    raise SystemExit(main())
