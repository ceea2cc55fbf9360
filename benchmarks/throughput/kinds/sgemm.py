"""The machine's peak: single-precision matrix products side by side, one thread each, as chunks of phones are computed."""

from __future__ import annotations

import time

import torch

from benchmarks.throughput.turns import Turns
from chordsim.threads import pool

_STRETCHES = 4


def run(turns: Turns, threads: int = 2, size: int = 2048, products: int = 3) -> None:
    """Measure GFLOP/s of square products, 2 n^3 operations each; the best of a few short stretches of ``products`` per thread."""
    left = torch.linspace(-1, 1, size * size).reshape(size, size)
    right, outs = left.T.contiguous(), [torch.empty(size, size) for _ in range(threads)]

    def multiply(out: torch.Tensor) -> None:
        for _ in range(products):
            torch.mm(left, right, out=out)

    with pool(threads) as workers:
        list(workers.map(multiply, outs))
        turns.ready(threads=threads, size=size)
        for _ in turns:
            best = 0.0
            # A peak is what the machine can do, not what it did on average.
            for _ in range(_STRETCHES):
                began = time.perf_counter()
                list(workers.map(multiply, outs))
                best = max(best, threads * products * 2 * size**3 / (time.perf_counter() - began))
            turns.result(sgemm_gflop_per_s=best / 1e9)
