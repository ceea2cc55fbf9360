"""The name of a bootstrap blob is the hash of what it holds."""

from __future__ import annotations

import hashlib


def blob_digest(data: bytes) -> str:
    """Return the SHA-256 of a blob in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
