"""The name of a bootstrap blob is the hash of what it holds."""

from __future__ import annotations

import hashlib

from chordsim.wire.errors import BadPayload


def blob_digest(data: bytes) -> str:
    """Return the SHA-256 of a blob in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def verify_blob(label: str, data: bytes, digest: str) -> None:
    """Check a blob against the digest under which it was announced.

    Raises:
        BadPayload: The blob holds something else.
    """
    if blob_digest(data) != digest:
        raise BadPayload(f"blob {label!r} does not match its digest {digest[:12]}")
