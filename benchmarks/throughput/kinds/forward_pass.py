"""The parts of a cohort step alone, chunk by chunk on as many threads as the engines use: operations counted from shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.throughput.turns import Turns
from benchmarks.throughput.work import METHOD, ROUND, Work, chunk, prepare
from chordsim import methods
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, Batch
from chordsim.nets import footprint
from chordsim.nets.backbone import last_states
from chordsim.progress import Silent
from chordsim.quant.plan import gather
from chordsim.ragged import Ragged
from chordsim.threads import pool
from chordsim.wire.codes import decode_codes
from chordsim.wire.frame import decode_rows


def forward(turns: Turns, threads: int = 2, phones: int = 10_240, overrides: Sequence[str] = ()) -> None:
    """Measure the backbone's forward pass, weights built beforehand: what the floating-point operations of a phone allow."""
    with pool(threads) as workers:
        work = prepare(phones, overrides, workers)
        parts = [(items, _weights(work, codes)) for items, codes in _chunks(work)[: 8 * threads]]

        def one(part: tuple[torch.Tensor, Any]) -> None:
            items, weights = part
            with torch.inference_mode():
                last_states(items, work.model.item, work.model.position, weights, work.world.scenario.backbone)

        size = work.world.chunk_size
        counter = FlopCounterMode(display=False)
        with counter:
            one(parts[0])
        shapes = work.half.shapes
        asked = 2 * (footprint.dense_macs(shapes) - shapes.n_items * shapes.backbone.dim)
        turns.ready(chunk_size=size, flop_asked=asked, flop_executed=counter.get_total_flops() / size)
        _repeat(turns, workers, one, parts, phones // size, size, asked, counter.get_total_flops() / size)


def plans(turns: Turns, threads: int = 2, phones: int = 10_240, overrides: Sequence[str] = ()) -> None:
    """Measure the cloud's answer alone: profiles in, plans out."""
    with pool(threads) as workers:
        work = prepare(phones, overrides, workers)
        context = work.world.context(METHOD)
        cloud = methods.load(work.world.specs[METHOD].cloud)(context)
        state = cloud.train(work.world.logs, Silent())
        size = work.world.chunk_size
        asked = []
        for start in range(0, min(8 * threads, phones // size) * size, size):
            who, history = chunk(work.world, work.ids[start : start + size])
            with torch.inference_mode():
                profile = work.half.act(work.model, {}, UP_PROFILE, who, history, Ragged.empty(size)).outbox
            asked.append((Batch(who.device_ids, who.active, ROUND), profile))
        turns.ready(chunk_size=size)
        _repeat(turns, workers, lambda part: cloud.respond(state, DOWN_PRESCRIPTION, *part), asked, phones // size, size)


def _chunks(work: Work) -> list[tuple[torch.Tensor, torch.Tensor]]:
    size = work.world.chunk_size
    payloads, _ = decode_rows("prescription", METHOD, ROUND, work.frames)
    codes, _ = decode_codes(payloads, work.half.shapes.channels)
    starts = range(0, work.ids.size, size)
    histories = [chunk(work.world, work.ids[a : a + size])[1].items for a in starts]
    return [(torch.from_numpy(items), torch.from_numpy(codes[a : a + size]).long()) for a, items in zip(starts, histories, strict=True)]


def _weights(work: Work, codes: torch.Tensor) -> Any:
    return gather(work.model.tables, codes, work.half.shapes.layers)


def _repeat(
    turns: Turns,
    workers: Executor,
    one: Callable[[Any], object],
    parts: Sequence[Any],
    chunks: int,
    size: int,
    asked: float = 0,
    executed: float = 0,
) -> None:
    """Work through ``chunks`` chunks for each turn, over and over the same few."""
    todo = [parts[n % len(parts)] for n in range(chunks)]
    list(workers.map(one, todo))
    for _ in turns:
        began = time.perf_counter()
        list(workers.map(one, todo))
        rate = chunks * size / (time.perf_counter() - began)
        done = {"asked_gflop_per_s": rate * asked / 1e9, "executed_gflop_per_s": rate * executed / 1e9} if asked else {}
        turns.result(devices_per_s=rate, **done)
