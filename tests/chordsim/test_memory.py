"""Freed pages stay at hand, so that large arrays that come and go cost no page faults, until they are released."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import resource, numpy
from chordsim.memory import keep_freed_pages
assert keep_freed_pages() and keep_freed_pages()
def turn():
    for _ in range(50):
        numpy.ones(300_000)
turn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
turn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator alone is told")
def test_arrays_that_come_and_go_take_no_fresh_pages() -> None:
    run = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    # 50 arrays of 2.4 MB would fault 29,000 pages of 4 KB.
    assert int(run.stdout) < 1000


_RELEASE = """
import numpy, psutil
from chordsim.memory import keep_freed_pages, release_freed_pages
keep_freed_pages()
rss = psutil.Process().memory_info
held = [numpy.ones(1_000_000) for _ in range(20)]
del held
kept = rss().rss
assert release_freed_pages()
print(kept - rss().rss)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator alone is told")
def test_released_pages_go_back_to_the_system() -> None:
    run = subprocess.run([sys.executable, "-c", _RELEASE], capture_output=True, text=True, check=True, timeout=60)
    assert int(run.stdout) > 100e6
