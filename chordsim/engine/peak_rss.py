"""How much memory this process has held."""

from __future__ import annotations

import resource
import sys


def peak_rss_bytes() -> int:
    """Return the most resident memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
