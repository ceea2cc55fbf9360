"""Test vectors: seed and plan in, checksums of what a phone must have made after every step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.errors import DataError
from chordsim.runtime.reference.steps import Bytes, Part, checksum, draw, masked, pack, unpack, unpack_codes

#: Ships with the package.
SHIPPED = Path(__file__).with_name("vectors.json")
FORMAT = "chordsim-vectors-1"


def made(
    parts: Sequence[Part],
    seed: int,
    plan: bytes,
    widths: Sequence[int],
    *,
    law: str = "gaussian",
    keep: float = 1.0,
    kept: Bytes | None = None,
    turned: Bytes | None = None,
) -> dict[str, Any]:
    """Return one vector: what goes in, and the checksums that come out.

    Args:
        parts: Layers in plan order.
        seed: The scenario's seed.
        plan: Packed codes as they cross.
        widths: Bits of codes 0 to 3.
        law: What frozen weights are drawn from.
        keep: Share of weights that the mask keeps, and
        kept: its packed bits; None for no mask.
        turned: Bits of the weights whose signs the mask turns; None for none.
    """
    given = {
        "seed": seed,
        "law": law,
        "keep": keep,
        "mask": "" if kept is None else kept.tobytes().hex(),
        "widths": list(widths),
        "parts": [[part.name, part.rows, part.width, part.gain] for part in parts],
        "plan": plan.hex(),
    }
    if turned is not None:
        given["turned"] = turned.tobytes().hex()
    return {**given, "sha256": outcome(given)}


def outcome(vector: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums that a vector's steps give here: of drawn and masked weights, packed levels, scales, unpacked weights.

    Raises:
        DataError: A vector without what its steps need.
    """
    try:
        parts = [Part(str(name), int(rows), int(width), float(gain)) for name, rows, width, gain in vector["parts"]]
        kept = np.frombuffer(bytes.fromhex(vector["mask"]), np.uint8) if vector["mask"] else None
        drawn = draw(parts, int(vector["seed"]), str(vector["law"]))
        turned = np.frombuffer(bytes.fromhex(vector["turned"]), np.uint8) if "turned" in vector else None
        source = masked(drawn, kept, float(vector["keep"]), turned)
        codes = unpack_codes(bytes.fromhex(vector["plan"]), sum(part.rows for part in parts))
        packed = pack(source, codes, [int(bits) for bits in vector["widths"]])
        weights = unpack(packed, parts)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"a test vector that cannot be played: {error}") from error
    return {
        "drawn": checksum(*drawn),
        "masked": checksum(*source),
        "levels": checksum(packed.levels),
        "scales": checksum(packed.scales),
        "weights": checksum(*weights),
    }


def text(vectors: Sequence[Mapping[str, Any]]) -> str:
    """Return vectors as the text of a file."""
    return json.dumps({"format": FORMAT, "vectors": list(vectors)}, indent=1, sort_keys=True) + "\n"


def differences(path: Path) -> tuple[int, list[str]]:
    """Return how many vectors a file holds, and every step whose outcome here is not the file's.

    Raises:
        DataError: Not a file of vectors.
    """
    try:
        held = json.loads(path.read_text())
        known = held["format"] == FORMAT
        vectors = held["vectors"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a file of test vectors: {error}") from error
    if not known:
        raise DataError(f"{path}: format {held['format']!r}, not {FORMAT!r}")
    found = []
    for number, vector in enumerate(vectors):
        here = outcome(vector)
        found += [f"vector {number}, {step}: {here[step]} here" for step, wanted in vector["sha256"].items() if here.get(step) != wanted]
    return len(vectors), found
