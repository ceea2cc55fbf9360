"""A process that feeds decoders; it makes its own, since what feeds them cannot be sent."""

from __future__ import annotations

import resource
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


def work(job: tuple[int, int]) -> dict[str, Any]:
    """Feed all decoders with (messages, seed); return messages by decoder, crashes, seconds of the slowest, peak RSS in bytes."""
    messages, seed = job
    total = sum(target.share for target in TARGETS.values())
    fed, crashes, slowest = dict[str, int](), list[str](), 0.0
    for name, target in TARGETS.items():
        fed[name], bad, slow = fuzz(name, target, round(messages * target.share / total), seed)
        crashes += bad
        slowest = max(slowest, slow)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seed": seed, "messages": fed, "crashes": crashes, "slowest_s": slowest, "peak_rss_bytes": peak}
