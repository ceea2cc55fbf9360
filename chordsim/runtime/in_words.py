"""Exports and their parity in words, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.fitted import Fitted
from chordsim.runtime.measuring import Line
from chordsim.runtime.parity import NEAR, Parity

_FORMS = {
    "whole": "one program, weights in it",
    "shared": "one program, weights are its inputs, packed at rest and expanded at load",
    "kernel": "the runtime's own low-bit kernels",
}


def export_lines(listing: Mapping[str, Any], out: Path) -> list[str]:
    """Return what was written: form, files, sizes."""
    runtime = listing["runtime"]
    form = _FORMS[listing["form"]]
    if listing["form"] == "kernel" and runtime["name"] == "executorch":
        form += "; activations are rounded to 8 bits, so scores are not the ledger's"
    own = f"{runtime['name']} {runtime.get('onnxruntime') or runtime.get('executorch')}"
    lines = [f"{listing['method']} for {own}: {form}"]
    lines += [f"  {name}: {size:,} B" for name, size in listing["files"].items()]
    sizes = np.array([entry["bytes"] for entry in listing["phones"]])
    if sizes.size:
        bits = np.array([entry["bits_mean"] for entry in listing["phones"]])
        lines.append(
            f"  {sizes.size} phones: {sizes.mean():,.0f} B each ({sizes.min():,} to {sizes.max():,}), {bits.mean():.2f} bits a weight"
        )
    return [*lines, f"export written to {out}"]


def parity_lines(found: Parity) -> list[str]:
    """Return how the runtime's scores, ranks and bytes compare with the ledger's."""
    if not found.ids.size:
        return ["parity: no exported phone was served in the round, so none can be compared"]
    equal, near = int(found.equal.sum()), int((~found.equal & ~found.unexplained).sum())
    lines = [
        f"parity of {found.ids.size} phones: largest difference of a score {found.score_difference.max():.2g}; "
        f"rank as in the ledger {equal}, other only among scores within {NEAR:g} {near}, other {int(found.unexplained.sum())}"
    ]
    total, model = sum(v for name, v in found.parts.items() if not name.startswith("only")), float(found.model_bytes.mean())
    lines.append(f"bytes: export {total:,.0f}, ledger's model_bytes {model:,.0f} ({total / model - 1:+.1%}), which is")
    return [*lines, *(f"  {name}: {value:,.0f}" for name, value in found.parts.items() if value)]


def measured_table(lines: Sequence[Line]) -> Fitted:
    """Return one line per model: bits, milliseconds, size."""
    names = ("form", "bits", "ms", "p95_ms", "cold_ms", "load_ms", "adapt_ms", "mb")
    rows = [(line.method, *(str(getattr(line, name)) for name in names)) for line in lines]
    first = lines[0]
    title = f"{first.runtime}, {first.shape}; {first.machine}, {first.gmacs_per_s:g} GMAC/s, {first.overhead_ms:g} ms a call"
    return Fitted(("method",), tuple(name.replace("_", " ") for name in names), rows, title=title)
