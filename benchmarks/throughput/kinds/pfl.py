"""pfl-research (`pip install pfl`): its simulated backend plays phones one by one, on one process per worker.

Runs in the environment that `neighbours.py` makes; this module's own imports are what chordsim has as well.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.throughput.turns import END, GO, Turns

ROOT = Path(__file__).parents[3]


def run(turns: Turns, workers: int = 2, phones: int = 2048, overrides: Sequence[str] = ()) -> None:
    """Measure rounds of ``phones`` users on ``workers`` processes that pfl itself reduces over (torch.distributed, gloo)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [_started(n, workers, port, phones, overrides) for n in range(workers)]
    try:
        flop = [int(_expect(rank, "ready").split()[1]) for rank in ranks]
        turns.ready(phones=phones, processes=workers, flop_per_phone=flop[0])
        for _ in turns:
            for rank in ranks:
                _tell(rank, GO)
            told = [_expect(rank, "result").split() for rank in ranks]
            seconds = max(float(words[1]) for words in told)
            turns.result(device_rounds_per_s=phones / seconds, seconds=seconds, rank_sum=float(told[0][2]))
    finally:
        for rank in ranks:
            _tell(rank, END)
        for rank in ranks:
            try:
                rank.wait(10)
            except subprocess.TimeoutExpired:
                # One that waits for another that failed.
                rank.kill()


def _started(rank: int, workers: int, port: int, phones: int, overrides: Sequence[str]) -> subprocess.Popen[str]:
    # What torchrun would set.
    environment = {
        **os.environ,
        "TORCHELASTIC_RUN_ID": "benchmark",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(workers),
        "LOCAL_WORLD_SIZE": str(workers),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.throughput.pfl_rank", str(phones), *overrides]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


def _tell(rank: subprocess.Popen[str], word: str) -> None:
    pipe: Any = rank.stdin
    if rank.poll() is None:
        pipe.write(f"{word}\n")
        pipe.flush()


def _expect(rank: subprocess.Popen[str], word: str) -> str:
    pipe: Any = rank.stdout
    for line in pipe:
        if line.startswith(word):
            return str(line)
    raise RuntimeError(f"a process of pfl ended before it was {word}; see the log")
