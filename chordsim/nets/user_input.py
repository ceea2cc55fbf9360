"""A user's vector among a backbone's inputs: the extractor's, through a learnt matrix, added at every position.

The phone owns extractor and history, so nothing of it crosses a link. Ours (inference): in the prototype a token before the history
was ignored in training, and a vector that is added to all positions was not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chordsim.nets import blobs, embeddings

#: Of the bootstrap's part and of the parameter.
NAME = "user_input"
#: Spread of the matrix at its start: inputs are item embeddings times the root of their width, which a smaller vector is lost among.
START_STD = 0.06


def start(dim: int, width: int, generator: torch.Generator) -> Tensor:
    """Return a matrix [dim, width] from N(0, `START_STD`^2)."""
    return torch.randn(dim, width, generator=generator) * START_STD


def added(states: Tensor, items: Tensor, user: Tensor | None) -> Tensor:
    """Return input states [D, L, d] with each user's vector [D, d] at all positions but padding; as they are where there is none."""
    return states if user is None else states + user.unsqueeze(1) * (items > 0).unsqueeze(-1)


def encode(matrix: Tensor, bits: int) -> dict[str, Tensor]:
    """Return the tensors that store the matrix, row by row at the extractor's bits."""
    return embeddings.encode(matrix, bits, NAME)


def restored(data: bytes, dim: int, width: int) -> Tensor:
    """Return the matrix [dim, width] of a blob that `encode` filled.

    Raises:
        BadPayload: Not this matrix.
    """
    return embeddings.decode(blobs.load(data, {NAME: (dim, width)}), NAME, width)


def stored_bytes(dim: int, width: int, bits: int) -> int:
    """Return the bytes of the matrix on a phone."""
    return embeddings.table_bytes(dim, width, bits)
