"""How this process keeps the memory that large temporary arrays leave behind: at hand, not handed back to the system."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

#: Options of glibc's `mallopt` (malloc.h), the largest block that the heap serves (its limit), what the heap may keep.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_HEAP_BLOCK_BYTES, _KEPT_BYTES = 32 << 20, 256 << 20


@lru_cache(maxsize=1)
def keep_freed_pages() -> bool:
    """Let the allocator reuse pages that it has, and return whether it can be told so (glibc alone).

    A step over a chunk of phones takes and frees hundreds of arrays of 0.1 to 4 MB. By default each comes as fresh pages
    that the system must zero, which takes longer than the arithmetic; it changes no result.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return bool(mallopt(_MMAP_THRESHOLD, _HEAP_BLOCK_BYTES) and mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
