"""Kernels and torch in turns on the same inputs, one thread: microseconds a phone, and how many times faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.kernels.inputs import forwards, ranks
from chordsim.errors import UserError
from chordsim.kernels.allocate import allocate
from chordsim.quant import allocate as reference
from chordsim.quant.allocate import Costs

_PHONES = 256


@dataclass(frozen=True)
class Pair:
    """The same work twice.

    Attributes:
        name: What it is.
        phones: How many phones one call serves.
        torch: The reference.
        native: The kernel.
    """

    name: str
    phones: int
    torch: Callable[[], Any]
    native: Callable[[], Any]


def allocators() -> list[Pair]:
    """Return plans of 768 channels at 2 bits, for one budget and for three, and for each smallest code."""
    rng = np.random.default_rng(0)
    bits = torch.full((768, 1), 64) * torch.tensor([0, 2, 4, 8])
    latency = torch.full((768, 1), 64) * torch.tensor([0, 50, 50, 50])
    utilities = torch.from_numpy(np.cumsum(rng.normal(0, 1, (_PHONES, 768, 4)), -1).astype(np.float32))
    out = []
    for name, costs in (("one budget", Costs(bits[None])), ("three budgets", Costs(torch.stack([bits, latency, bits])))):
        for lowest in (0, 1, 2):
            low, high = costs.values[:, :, lowest].sum(1).numpy(), costs.values[:, :, 3].sum(1).numpy()
            limits = torch.from_numpy((low + rng.uniform(0.1, 0.5, (_PHONES, low.size)) * (high - low)).astype(np.int64))
            given = (utilities, costs, limits, lowest)
            title = f"allocator, {name}, lowest = {lowest}"
            out.append(Pair(title, _PHONES, partial(reference.allocate, *given), partial(allocate, *given)))
    return out


def table(only: str, repeats: int) -> int:
    """Print a table in Markdown; processor time of this thread, medians with the least and the most of all repetitions."""
    passes = [Pair(*work) for work in (*forwards(), *ranks())]
    every = [*allocators(), *passes]
    chosen = [pair for pair in every if only in pair.name]
    if not chosen:
        raise UserError(f"--only {only!r}: nothing is called so; there are {', '.join(pair.name for pair in every)}")
    print("| kernel | torch, µs a phone | native, µs a phone | times faster |\n| --- | ---: | ---: | ---: |")
    for pair in chosen:
        with torch.inference_mode():
            pair.torch(), pair.native()
            taken = np.array([[_seconds(pair.torch), _seconds(pair.native)] for _ in range(repeats)]) * 1e6 / pair.phones
        print(f"| {pair.name} | {_span(taken[:, 0])} | {_span(taken[:, 1])} | {_span(taken[:, 0] / taken[:, 1])} |", flush=True)
    return 0


def _seconds(call: Callable[[], Any]) -> float:
    start = time.thread_time()
    call()
    return time.thread_time() - start


def _span(values: np.ndarray[Any, Any]) -> str:
    return f"{np.median(values):.1f} ({values.min():.1f} to {values.max():.1f})"
