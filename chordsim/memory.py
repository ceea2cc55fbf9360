"""What becomes of the memory that large temporary arrays leave behind: kept at hand while work goes on, given back when it ends."""

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
    library = _glibc()
    return bool(library and library.mallopt(_MMAP_THRESHOLD, _HEAP_BLOCK_BYTES) and library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))


def release_freed_pages() -> bool:
    """Give the system back what finished work has freed, and return whether anything was (glibc alone)."""
    library = _glibc()
    return bool(library and library.malloc_trim(0))


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    """Return the C library with its two calls declared, None where it is not glibc."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        library.mallopt.argtypes, library.malloc_trim.argtypes = [ctypes.c_int, ctypes.c_int], [ctypes.c_size_t]
    except (OSError, AttributeError):
        return None
    return library
