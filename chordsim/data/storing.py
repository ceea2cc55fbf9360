"""Files in the cache: written whole or not at all, by one process at a time, checked by their digests."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_BLOCK = 1 << 20


def mismatch(path: Path, digests: Mapping[str, str]) -> str | None:
    """Return how the file differs from the digests (algorithm to hex), or None if all agree."""
    running = {name: hashlib.new(name, usedforsecurity=False) for name in digests}
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            for digest in running.values():
                digest.update(block)
    for name, wanted in digests.items():
        found = running[name].hexdigest()
        if found != wanted:
            return f"wrong checksum: {name} {found[:12]}..., not {wanted[:12]}..."
    return None


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that other processes see all of it or nothing, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        publish(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def publish(written: Path, path: Path) -> None:
    """Bring a finished file to the disk and then to its name, in one step."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``path`` (made if missing) locked; a second process waits, then finds the first one's work done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
