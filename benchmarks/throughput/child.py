"""The process that is measured: `python -m benchmarks.throughput.child KIND SETTINGS READ_FD WRITE_FD`; started by the suite."""

from __future__ import annotations

import importlib
import json
import sys

from benchmarks.throughput.turns import Turns


def main(kind: str, settings: str, read_fd: str, write_fd: str) -> None:
    """Run one kind with its settings (JSON)."""
    turns = Turns(int(read_fd), int(write_fd))
    module, _, function = kind.partition(":")
    getattr(importlib.import_module(f"benchmarks.throughput.kinds.{module}"), function)(turns, **json.loads(settings))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
