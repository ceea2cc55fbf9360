"""An export opened again: load its program and a phone's weights as a phone would, and run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chordsim.errors import DataError, UserError
from chordsim.files import read_json
from chordsim.runtime import on_executorch, on_onnx, phone_file
from chordsim.runtime.exporting import FORMAT, LISTING, SUFFIX, channels
from chordsim.runtime.extras import Runtime, need
from chordsim.runtime.from_run import Source
from chordsim.runtime.portable import Single

Arrays = list[npt.NDArray[np.generic]]


class Session(Protocol):
    """A loaded program of either runtime."""

    def run(self, inputs: Arrays) -> Single:
        """Return its one output."""
        ...


@dataclass(frozen=True)
class Loaded:
    """A program with a phone's weights, ready to run.

    Attributes:
        session: The program.
        weights: Inputs behind the history; empty where the program holds them.
    """

    session: Session
    weights: Sequence[Single]


@dataclass(frozen=True)
class Export:
    """A folder that `chordsim.runtime.exporting.export` wrote.

    Attributes:
        folder: Where.
        listing: What it says of itself.
        source: The method and run that it came from.
    """

    folder: Path
    listing: dict[str, Any]
    source: Source

    @property
    def runtime(self) -> Runtime:
        """Which runtime its programs are for."""
        name: Runtime = self.listing["runtime"]["name"]
        return name

    @property
    def own_programs(self) -> bool:
        """Whether each phone has a program of its own."""
        return self.listing["form"] == "kernel" and bool(self.listing["phones"])

    def session(self, device: int | None) -> Session:
        """Load the program, or the phone's own where each has one."""
        name = self.entry(device)["file"] if self.own_programs else f"program.{SUFFIX[self.runtime]}"
        path = self.folder / name
        return on_executorch.Session(path) if self.runtime == "executorch" else on_onnx.Session(path)

    def weights(self, device: int | None) -> list[Single]:
        """Read and unpack the weights that the program takes as inputs."""
        if self.listing["form"] != "shared":
            return []
        entry = self.entry(device) if self.listing["phones"] else None
        path = self.folder / (entry["file"] if entry else "weights.safetensors")
        unpacked, _ = phone_file.read(path, self.source.portable.parts)
        return channels(self.source, unpacked)

    def load(self, device: int | None, session: Session | None = None) -> Loaded:
        """Load all that a request needs; a program that all phones share may be loaded already."""
        return Loaded(session or self.session(device), self.weights(device))

    def inputs(self, history: npt.NDArray[np.int64]) -> Arrays:
        """Return a program's inputs for a history [n] as `Source.history` gives it, without weights."""
        portable, config = self.source.portable, self.source.context.backbone
        window = history[-config.max_len :]
        rows = [portable.item[window][None]] if config.items == "cached" else []
        user = [portable.joined(history[None])] if portable.joined is not None else []
        return [np.ascontiguousarray(window[None], np.int64), *rows, *user]

    def scores(self, loaded: Loaded, history: npt.NDArray[np.int64], listed: npt.NDArray[np.int64] | None) -> Single:
        """Return the scores of all items [n_items + 1], or of those listed where items are cached."""
        out = loaded.session.run([*self.inputs(history), *loaded.weights])
        if listed is None:
            return np.asarray(out[0], np.float32)
        scores: Single = (self.source.portable.item[listed] @ out[0]).astype(np.float32)
        return scores

    def entry(self, device: int | None) -> dict[str, Any]:
        """Return what the listing says of a phone.

        Raises:
            UserError: It was not exported.
        """
        found = next((entry for entry in self.listing["phones"] if entry["device_id"] == device), None)
        if found is None:
            raise UserError(f"{self.folder}: no phone {device} in this export")
        return dict(found)


def opened(folder: Path, source: Source) -> Export:
    """Open an export of a run.

    Raises:
        DataError: No export, or of another format.
        UserError: Its runtime is not installed.
    """
    listing = read_json(folder / LISTING)
    if listing.get("format") != FORMAT:
        raise DataError(f"{folder / LISTING}: format {listing.get('format')!r}, not {FORMAT!r}")
    need(listing["runtime"]["name"])
    return Export(folder, listing, source)
