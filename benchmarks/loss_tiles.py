"""What the loss over all items takes in one pass and in tiles, by the size of the catalogue: milliseconds of one thread, with gradients.

    python -m benchmarks.loss_tiles [--items N ...] [--positions N] [--repetitions N]

Both ways in turn, side by side in one process; medians, and one pass over tiles as a ratio. `ONE_PASS_ITEMS` of `server/training/loss.py`
is where tiles begin to be faster.
"""

from __future__ import annotations

import time
from statistics import median
from unittest.mock import patch

import torch

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive
from chordsim import seeds
from chordsim.threads import one_thread_per_product
from server.training import loss

WIDTH = 64
WAYS = {"one pass": 1 << 62, "tiles": 0}


def milliseconds(positions: int, items: int, kind: torch.dtype, repetitions: int) -> dict[str, float]:
    """Return by way the median milliseconds of a loss and its gradients."""
    draws = seeds.generator(1, "benchmarks.loss_tiles")
    states, table = (torch.from_numpy(draws.standard_normal((n, WIDTH), "float32")).requires_grad_() for n in (positions, items + 1))
    targets = torch.from_numpy(draws.integers(1, items + 1, positions))
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repetitions + 1):
        for way, most in WAYS.items():
            with patch.object(loss, "ONE_PASS_ITEMS", most):
                begun = time.perf_counter()
                torch.autograd.grad(loss.linear_cross_entropy(states, table, targets, kind), (states, table))
                taken[way].append(1000 * (time.perf_counter() - begun))
    return {way: median(values[1:]) for way, values in taken.items()}


def main() -> None:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--items", type=positive, nargs="+", default=[3_000, 8_000, 16_000, 32_000, 64_000])
    parser.add_argument("--positions", type=positive, default=1_024)
    parser.add_argument("--repetitions", type=positive, default=5)
    given = parser.parse_args()
    one_thread_per_product()
    print("| items | products in | one pass, ms | tiles, ms | ratio |\n| ---: | --- | ---: | ---: | ---: |")
    for items in given.items:
        for kind in (torch.float32, torch.bfloat16):
            found = milliseconds(given.positions, items, kind, given.repetitions)
            cells = [f"{items:,}", f"{kind}".removeprefix("torch."), *(f"{found[way]:.0f}" for way in WAYS)]
            print(f"| {' | '.join(cells)} | {found['one pass'] / found['tiles']:.2f} |", flush=True)


if __name__ == "__main__":
    raise SystemExit(ended(main))
