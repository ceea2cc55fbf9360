"""Run one of the comparisons: `python -m benchmarks.kernels plans`, `speed` or `whole-numbers`."""

from __future__ import annotations

import sys
import time

import torch

from benchmarks.cut_off import ended
from benchmarks.kernels import speed, whole_numbers
from benchmarks.kernels.random_plans import compare, instance
from benchmarks.parser import parser_of, positive

_DEVICES = 500


def main() -> int:
    """Run what the command line names; 1 where a plan differs."""
    parser = parser_of(__doc__, __file__)
    commands = parser.add_subparsers(dest="what", required=True)
    plans = commands.add_parser("plans", help="compare random plans of both allocators")
    plans.add_argument("--count", type=positive, default=1_000_000)
    plans.add_argument("--seed", type=int, default=1)
    timed = commands.add_parser("speed", help="time kernels and torch in turns, on one thread")
    timed.add_argument("--only", default="", help="a part of the name of what is timed")
    timed.add_argument("--repeats", type=positive, default=15)
    whole = commands.add_parser("whole-numbers", help="8-bit levels times 8-bit activations beside float32: ranks and time")
    whole.add_argument("--repeats", type=positive, default=15)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.what == "whole-numbers":
        return whole_numbers.table(asked.repeats)
    return _plans(asked.count, asked.seed) if asked.what == "plans" else speed.table(asked.only, asked.repeats)


def _plans(count: int, seed: int) -> int:
    start, wrong, done = time.perf_counter(), 0, 0
    while done < count:
        # Every tenth case has as many channels as two blocks of width 64.
        wrong += compare(instance([seed, done], _DEVICES, most=768 if done // _DEVICES % 10 == 0 else 64))
        done += _DEVICES
    print(f"{done:,} plans, {wrong:,} differ, {time.perf_counter() - start:.0f} s")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(ended(main))
