"""Embeddings in a bootstrap: whole tables for phones that own the catalogue, apart from what phones pay where it stays in the cloud."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from chordsim.arrays import State
from chordsim.methods import ITEM_TABLE, Blob
from chordsim.nets import blobs, embeddings
from chordsim.nets.shapes import Shapes
from server.training.rounding import WIDTHS


def table_blobs(shapes: Shapes, state: State, beside: Mapping[str, Tensor] | None = None) -> list[Blob]:
    """Return the blobs of a bootstrap that hold embeddings.

    Args:
        shapes: The backbone; says at how many bits rows are stored, and where the catalogue is.
        state: A trained state: item embeddings [n_items + 1, d], and the bits of each row where they differ.
        beside: Other tables that phones own whole, by name; none for those that stand in another blob.
    """
    table, others = embeddings.encode(state["item"], shapes.backbone.embedding_bits, "item", state.get(WIDTHS)), dict(beside or {})
    if shapes.backbone.items == "owned":
        return [Blob("embeddings", blobs.save(table | others))]
    return [Blob(ITEM_TABLE, blobs.save(table)), *([Blob("embeddings", blobs.save(others))] if others else [])]
