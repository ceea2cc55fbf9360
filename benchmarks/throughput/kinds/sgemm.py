"""The machine's peak: single-precision matrix products on as many threads as the engines use."""

from __future__ import annotations

import time

import torch

from benchmarks.throughput.turns import Turns


def run(turns: Turns, threads: int = 2, size: int = 2048, products: int = 24) -> None:
    """Measure GFLOP/s of square products, 2 n^3 operations each."""
    torch.set_num_threads(threads)
    left = torch.linspace(-1, 1, size * size).reshape(size, size)
    right, out = left.T.contiguous(), torch.empty(size, size)
    torch.mm(left, right, out=out)
    turns.ready(threads=threads, size=size)
    for _ in turns:
        # The best of a few short stretches: a peak is what the machine can do, not what it did on average.
        best = 0.0
        for _ in range(4):
            began = time.perf_counter()
            for _ in range(max(products // 4, 1)):
                torch.mm(left, right, out=out)
            best = max(best, max(products // 4, 1) * 2 * size**3 / (time.perf_counter() - began))
        turns.result(sgemm_gflop_per_s=best / 1e9)
