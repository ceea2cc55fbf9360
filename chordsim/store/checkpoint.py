"""Checkpoints at round boundaries: device state and learnt cloud state, in safetensors and JSON, the previous one kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from chordsim.errors import UserError
from chordsim.files import atomic_write, disk_errors, read_json
from chordsim.ledger.names import CHECKPOINT
from chordsim.round.book import STATE
from chordsim.round.enrolled import Hosted
from chordsim.round.under_way import UnderWay
from chordsim.store import sparse

KEPT = 2
_NAME = re.compile(r"round-(\d+)\.json")


@dataclass(frozen=True)
class Checkpoint:
    """One readable checkpoint.

    Attributes:
        round: The last round that was closed.
        errors: Errors of lost cells up to then.
        path: Its JSON file.
    """

    round: int
    errors: list[str]
    path: Path


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint will hold, as it was when the round was closed: what comes later does not change it.

    Attributes:
        round: The round that was closed.
        tensors: By name, as in the file.
        meta: What stands beside them.
    """

    round: int
    tensors: dict[str, torch.Tensor]
    meta: dict[str, Any]


def taken(round: int, enrolled: Sequence[Hosted], errors: Sequence[str]) -> Snapshot:
    """Return device state and learnt state of a closed round, copied."""
    tensors: dict[str, torch.Tensor] = {}
    for method in enrolled:
        for name, column in method.columns().items():
            told = sparse.parts_of(column).items()
            tensors |= {f"{method.spec.name}/columns/{name}/{part}": torch.from_numpy(value) for part, value in told}
        if method.under_way is not None:
            told = method.under_way.arrays().items()
            tensors |= {f"{method.spec.name}/under_way/{name}": torch.from_numpy(np.array(value)) for name, value in told}
        if method.spec.learns:
            state = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in method.state.items()}
            tensors |= {f"{method.spec.name}/state/{name}": value for name, value in state.items()}
    meta = {
        "round": round,
        "errors": list(errors),
        "versions": {method.spec.name: method.version for method in enrolled},
        "introduced": {method.spec.name: dict(method.introduced) for method in enrolled},
    }
    return Snapshot(round, tensors, meta)


def write(run: Path, snapshot: Snapshot) -> list[Path]:
    """Write a checkpoint, and return its files, which have not reached the disk yet.

    Raises:
        UserError, RunError: The disk refuses; earlier checkpoints stay.
    """
    folder = run / CHECKPOINT
    folder.mkdir(exist_ok=True)
    data = safetensors.torch.save(snapshot.tensors)
    target = folder / f"round-{snapshot.round:05d}.safetensors"
    atomic_write(target, data, lasting=False)
    meta = {**snapshot.meta, "sha256": hashlib.sha256(data).hexdigest()}
    atomic_write(target.with_suffix(".json"), json.dumps(meta, indent=1, sort_keys=True).encode(), lasting=False)
    return [target, target.with_suffix(".json")]


def prune(run: Path, errors: list[str]) -> None:
    """Remove all checkpoints but the last two, which must have reached the disk, and with ``errors`` the last one without a lost cell."""
    folder = run / CHECKPOINT
    # Beside the newest ones, the newest before which no cell was lost: there a resume begins.
    clean = next((point.round for point in newest_first(run) if not point.errors), 0) if errors else 0
    for old in _rounds(folder)[KEPT:]:
        if old != clean:
            _remove(folder, old)


def forget(run: Path) -> None:
    """Remove all checkpoints of a run."""
    folder = run / CHECKPOINT
    for old in _rounds(folder):
        _remove(folder, old)


def newest_first(run: Path) -> Iterator[Checkpoint]:
    """Yield checkpoints that can be read and whose checksum holds, the newest first."""
    folder = run / CHECKPOINT
    for round in _rounds(folder):
        path = folder / f"round-{round:05d}.json"
        try:
            meta = read_json(path)
            data = path.with_suffix(".safetensors").read_bytes()
            if meta["round"] == round and meta["sha256"] == hashlib.sha256(data).hexdigest():
                yield Checkpoint(round, [str(e) for e in meta["errors"]], path)
        except (OSError, UserError, KeyError, TypeError, ValueError):
            # A kill between two files, or damage: the one before it is as good.
            continue


def restore(checkpoint: Checkpoint, enrolled: Sequence[Hosted]) -> None:
    """Put device state and learnt state back.

    Raises:
        UserError: The checkpoint is of other methods or another population.
    """
    meta: dict[str, Any] = read_json(checkpoint.path)
    tensors = safetensors.torch.load(checkpoint.path.with_suffix(".safetensors").read_bytes())
    try:
        for method in enrolled:
            name = method.spec.name
            if method.spec.learns:
                prefix = f"{name}/state/"
                state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
                method.update(state, int(meta["versions"][name]), {k: int(v) for k, v in meta["introduced"][name].items()})
            begun = f"{name}/under_way/"
            if told := {k.removeprefix(begun): v.numpy() for k, v in tensors.items() if k.startswith(begun)}:
                method.under_way = UnderWay.of(told)
            for column in _columns(name, tensors):
                prefix = f"{name}/columns/{column}/"
                parts = {key.removeprefix(prefix): value.numpy() for key, value in tensors.items() if key.startswith(prefix)}
                if column.startswith(STATE):
                    method.kept[column.removeprefix(STATE)] = sparse.empty(parts, method.held.size)
                sparse.fill(method.columns()[column], parts)
    except (KeyError, IndexError, ValueError, SafetensorError) as error:
        raise UserError(f"{checkpoint.path}: not a checkpoint of this scenario: {error}") from error


def _columns(method: str, tensors: Iterable[str]) -> list[str]:
    """Return the names of a method's columns in a checkpoint."""
    found = (re.fullmatch(rf"{re.escape(method)}/columns/(.+)/ids", key) for key in tensors)
    return sorted(match[1] for match in found if match)


def _remove(folder: Path, round: int) -> None:
    with disk_errors(folder):
        for suffix in (".json", ".safetensors"):
            (folder / f"round-{round:05d}{suffix}").unlink(missing_ok=True)


def _rounds(folder: Path) -> list[int]:
    found = (_NAME.fullmatch(path.name) for path in folder.glob("round-*.json"))
    return sorted((int(match[1]) for match in found if match), reverse=True)
