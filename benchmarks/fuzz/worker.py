"""A process that feeds decoders; it makes its own, since what feeds them cannot be sent."""

from __future__ import annotations

import resource

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


def work(job: tuple[str, int, int]) -> tuple[str, int, list[str], float, int]:
    """Feed (decoder, messages, seed); return (decoder, messages fed, crashes, seconds of the slowest, peak RSS in bytes)."""
    name, messages, seed = job
    fed, crashes, slowest = fuzz(name, TARGETS[name], messages, seed)
    return name, fed, crashes, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
