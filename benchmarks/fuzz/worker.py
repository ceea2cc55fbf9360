"""What a process does that feeds decoders; it makes its own, since what feeds them cannot be sent."""

from __future__ import annotations

import faulthandler
import json
import resource
import signal
from collections.abc import MutableSequence
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.fuzz.decoders import decoders
from benchmarks.fuzz.halves import halves
from benchmarks.fuzz.target import Target, fuzz

#: Decoders by name, once `start` has run.
TARGETS: dict[str, Target] = {}


def start() -> None:
    """Make the decoders of this process."""
    torch.set_num_threads(1)
    TARGETS.update(decoders() | halves())


def names() -> list[str]:
    """Return the decoders in the order in which they are fed."""
    if not TARGETS:
        start()
    return list(TARGETS)


def serve(line: Connection, place: MutableSequence[int]) -> None:
    """Feed pieces that come on a line until it is closed, and say there what came of them.

    Args:
        line: Jobs of (messages, seed) come as JSON, and answers go.
        place: Takes the number of the decoder, from 1, and the messages that it had in this piece, for whoever finds this process gone.
    """
    # Ctrl-C reaches everybody; who started this process ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What ends a process below Python leaves a trace of where it was.
    faulthandler.enable()
    start()
    while True:
        try:
            messages, seed = json.loads(line.recv_bytes())
        except EOFError:
            return
        line.send_bytes(json.dumps(work((messages, seed), place)).encode())


def work(job: tuple[int, int], place: MutableSequence[int]) -> dict[str, Any]:
    """Feed all decoders with (messages, seed); return messages by decoder, crashes, seconds of the slowest, peak RSS in bytes."""
    messages, seed = job
    total = sum(target.share for target in TARGETS.values())
    fed, crashes, slowest = dict[str, int](), list[str](), 0.0

    def note(count: int) -> None:
        place[1] = count

    for number, (name, target) in enumerate(TARGETS.items(), 1):
        place[1], place[0] = 0, number
        fed[name], bad, slow = fuzz(name, target, round(messages * target.share / total), seed, note)
        crashes += bad
        slowest = max(slowest, slow)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seed": seed, "messages": fed, "crashes": crashes, "slowest_s": slowest, "peak_rss_bytes": peak}
