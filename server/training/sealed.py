"""Tensors and notes in one safetensors file under a checksum: written whole or not at all, read whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from chordsim.files import atomic_write

_NOTES, _SUM = "notes", "sha256"


def write(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, Any] | None = None) -> None:
    """Write a file.

    Args:
        path: The file; an older one is replaced.
        tensors: What it holds.
        notes: JSON values kept beside them; numbers come back as they were.

    Raises:
        UserError, RunError: The disk refuses; nothing is left of the new file.
    """
    whole = {name: tensors[name].detach().contiguous() for name in sorted(tensors)}
    text = json.dumps(notes or {}, sort_keys=True)
    atomic_write(path, safetensors.torch.save(whole, {_NOTES: text, _SUM: _digest(whole, text)}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return tensors and notes, or None where the file is missing, cut or damaged: it is then made anew."""
    try:
        with safe_open(path, "pt") as file:
            meta = file.metadata() or {}
            # Copies, so that values lie where torch would have put them: some kernels round by alignment.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a mapping
        text = meta[_NOTES]
        if _digest(tensors, text) != meta[_SUM]:
            return None
        return tensors, json.loads(text)
    except (SafetensorError, OSError, KeyError, ValueError):
        return None


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        total.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
