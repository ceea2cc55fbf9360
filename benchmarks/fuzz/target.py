"""One decoder to be fed: sound messages, a feeder that raises only on a crash, and what feeding it shows."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.fuzz.mutants import mutants
from chordsim.errors import ChordsimError
from chordsim.ragged import Ragged

#: Messages that are fed at a time: to most decoders, and to the halves of a method, which play so many phones.
BATCH, ROWS = 1024, 64


@dataclass(frozen=True)
class Target:
    """One decoder.

    Attributes:
        seeds: Sound messages.
        feed: Decodes a batch; raises only on a crash.
        share: Weight in the number of messages.
        framed: Whether half of the mutants get a CRC that matches.
        rows: The most messages that are fed at a time.
    """

    seeds: list[bytes]
    feed: Callable[[Ragged], None]
    share: float = 1.0
    framed: bool = False
    rows: int = BATCH


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


def fuzz(
    name: str, target: Target, messages: int, seed: int, note: Callable[[int], None] = lambda fed: None
) -> tuple[int, list[str], float]:
    """Feed one decoder; return (messages fed, crashes, the longest batch in seconds a message). ``note`` hears how many were fed."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    crashes: list[str] = []
    fed, slowest = 0, 0.0
    while fed < messages and len(crashes) < 5:
        rows = mutants(target.seeds, min(target.rows, messages - fed), rng, target.framed)
        began = time.perf_counter()
        try:
            target.feed(rows)
        except Exception as error:  # a fuzzer's whole purpose is to see what else comes out
            crashes.append(f"{name}: {type(error).__name__}: {error}: {culprit(target, rows)}")
        slowest = max(slowest, (time.perf_counter() - began) / len(rows))
        fed += len(rows)
        note(fed)
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
