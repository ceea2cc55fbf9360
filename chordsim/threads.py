"""Threads that compute chunks side by side, each chunk on one thread, so that no result depends on their number."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import torch


def one_thread_per_product() -> None:
    """Let this thread's matrix products run on it alone: other thread counts give other last bits."""
    torch.set_num_threads(1)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pool(workers: int) -> ThreadPoolExecutor:
    """Return a pool of ``workers`` threads (0: one per processor) for whole chunks."""
    return ThreadPoolExecutor(workers or cores(), thread_name_prefix="chunk", initializer=one_thread_per_product)
