"""The plans that a run kept: codes of some phones by method, with the layers that they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from chordsim.arrays import Floats
from chordsim.ledger.damage import named
from chordsim.ragged import Ragged
from chordsim.wire.codes import decode_codes

FILE = "plans.parquet"


@dataclass(frozen=True)
class Plans:
    """One method's plans in the last round.

    Attributes:
        codes: Code of each channel, or group of its inputs, [P, channels].
        widths: Bits that each code stands for, [4].
        layers: Name, channels (or groups) and fan-in of each layer, in plan order.
    """

    codes: npt.NDArray[np.uint8]
    widths: Floats
    layers: tuple[tuple[str, int, int], ...]

    @property
    def bits(self) -> Floats:
        """Bits of each channel, mean over plans, [channels]."""
        return np.asarray(self.widths[self.codes].mean(0), np.float64)

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Where each layer's channels begin and end."""
        ends = np.cumsum([channels for _, channels, _ in self.layers]).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    def disagreement(self) -> Floats:
        """Return the chance that two different phones have different codes for a channel, [channels]."""
        count = len(self.codes)
        if count < 2:
            return np.zeros(self.codes.shape[1])
        of_code = np.stack([(self.codes == code).sum(0) for code in range(4)]).astype(np.float64)
        return np.asarray(1 - (of_code * (of_code - 1)).sum(0) / (count * (count - 1)), np.float64)

    def distance(self) -> Floats:
        """Return the share of channels in which each plan differs from the most common codes, [P]."""
        common = np.stack([(self.codes == code).sum(0) for code in range(4)]).argmax(0)
        return np.asarray((self.codes != common).mean(1), np.float64)


def read_plans(run: Path) -> dict[str, Plans]:
    """Return the plans by method; empty where a run made none or did not end.

    Raises:
        RunError: The file is damaged.
    """
    path = run / FILE
    if not path.is_file():
        return {}
    with named(path):
        table = pq.read_table(path)
        meta = table.schema.metadata or {}
        widths = {str(name): np.array(w, np.float64) for name, w in json.loads(meta[b"chordsim.widths"]).items()}
        told = json.loads(meta[b"chordsim.layers"])
        # Runs of older versions have one list for all methods.
        by_method = told if isinstance(told, dict) else dict.fromkeys(widths, told)
        methods, packed, out = table.column("method").to_pylist(), table.column("codes").to_pylist(), {}
        for name in widths:
            layers = tuple((str(n), int(c), int(k)) for n, c, k in by_method[name])
            channels = sum(count for _, count, _ in layers)
            codes, sound = decode_codes(Ragged.of_rows(c or b"" for m, c in zip(methods, packed, strict=True) if m == name), channels)
            if sound.any():
                out[name] = Plans(codes[sound], widths[name], layers)
    return out
