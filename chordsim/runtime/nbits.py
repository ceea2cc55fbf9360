"""Low bits by ONNX Runtime's own kernel: every product with a layer's weights becomes `MatMulNBits` of 2, 4 or 8 bits.

The kernel multiplies float inputs by packed levels, a scale to each block of a row (com.microsoft, ONNX Runtime 1.32: block sizes are
powers of two from 16, of 2 bits at most 256). A row whose blocks all have the row's scale is a channel of ours. Where a plan mixes
widths in a layer, its rows are ordered by width: one product for each width, and the answers are put back in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.errors import RunError
from chordsim.runtime.reference.steps import Packed, Part, Single, row_bytes, unpack

_DOMAIN, _SMALLEST = "com.microsoft", 16
#: Largest block by kernel width.
_LARGEST = {2: 256, 4: 2**30, 8: 2**30}


def kernel_bits(bits: int) -> int:
    """Return the width of the kernel that holds levels of so many bits."""
    return next(width for width in (2, 4, 8) if bits <= width)


def with_kernels(model_bytes: bytes, packed: Packed, parts: Sequence[Part], gains: Single | None, weights: Sequence[str]) -> bytes:
    """Return a model in which weights are no inputs any more, but packed levels that kernels multiply by.

    Args:
        model_bytes: A model whose layers are the inputs named in ``weights``.
        packed: The levels and scales.
        parts: Layers as they are packed, whole channels.
        gains: Learnt scale of each row; None for none.
        weights: Names of the inputs, in plan order.

    Raises:
        RunError: A layer is used in a way that is not known here.
    """
    import onnx

    model = onnx.load_model_from_string(model_bytes)
    graph = model.graph
    kept = [value for value in graph.input if value.name not in set(weights)]
    del graph.input[:]
    graph.input.extend(kept)
    levels = levels_of(packed, parts)
    at = 0
    for name, part, layer in zip(weights, parts, levels, strict=True):
        rows = slice(at, at + part.rows)
        scales = packed.scales[rows] if gains is None else packed.scales[rows] * gains[rows]
        _replace(graph, name, layer, packed.bits[rows], scales)
        at += part.rows
    if all(entry.domain != _DOMAIN for entry in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))
    return bytes(model.SerializeToString())


def levels_of(packed: Packed, parts: Sequence[Part]) -> list[npt.NDArray[np.int16]]:
    """Return whole levels by layer: what `unpack` gives where every scale is 1."""
    assert int(row_bytes(packed.bits, parts).sum()) == packed.levels.size
    plain = Packed(packed.bits, packed.levels, np.ones_like(packed.scales))
    return [layer.astype(np.int16) for layer in unpack(plain, parts)]


def _replace(graph: Any, name: str, levels: npt.NDArray[np.int16], bits: npt.NDArray[np.uint8], scales: Single) -> None:
    """Put kernels in the place of every product with the input ``name``."""
    turned = {node.output[0] for node in graph.node if node.op_type == "Transpose" and list(node.input) == [name]}
    places = []
    for place, node in enumerate(graph.node):
        if (node.op_type == "MatMul" and node.input[1] in turned) or (node.op_type == "Gemm" and node.input[1] == name):
            places.append(place)
        elif name in node.input and node.op_type != "Transpose":
            raise RunError(f"layer {name} meets the operator {node.op_type}, for which there is no low-bit kernel")
    made = _initializers(graph, name, levels, bits, scales)
    for place in reversed(places):
        node = graph.node[place]
        nodes = _products(made, node.input[0], node.output[0], f"{name}.{place}")
        del graph.node[place]
        for new in reversed(nodes):
            graph.node.insert(place, new)
    for node in [node for node in graph.node if node.output[0] in turned]:
        graph.node.remove(node)


def _initializers(
    graph: Any, name: str, levels: npt.NDArray[np.int16], bits: npt.NDArray[np.uint8], scales: Single
) -> tuple[list[tuple[str, str, int, int, int, int]], str | None, bool]:
    """Store a layer's levels by width; return what products need, whose order puts rows back, and whether some row has no bits."""
    from onnx import numpy_helper

    kinds = np.array([kernel_bits(width) if width else 0 for width in range(9)])[bits]
    if not kinds.any():
        # A layer without any row left still answers, with zeros: its levels are all 0.
        kinds = np.full_like(kinds, min(_LARGEST))
    found, order = [], []
    for width in sorted(set(kinds.tolist()) - {0}):
        rows = np.flatnonzero(kinds == width)
        order.append(rows)
        stored, block = _blocks(levels[rows], width)
        graph.initializer.append(numpy_helper.from_array(stored, f"{name}.levels{width}"))
        graph.initializer.append(numpy_helper.from_array(np.repeat(scales[rows], stored.shape[1]), f"{name}.scales{width}"))
        found.append((f"{name}.levels{width}", f"{name}.scales{width}", width, block, levels.shape[1], rows.size))
    pruned = bool((kinds == 0).any())
    sequence = np.concatenate([*order, np.flatnonzero(kinds == 0)]) if order else np.arange(bits.size)
    if not pruned and np.array_equal(sequence, np.arange(bits.size)):
        return found, None, False
    back = np.argsort(sequence)
    # All rows without bits read the one column of zeros behind the last product.
    back = np.minimum(back, bits.size - int((kinds == 0).sum()))
    graph.initializer.append(numpy_helper.from_array(back.astype(np.int64), f"{name}.order"))
    if pruned:
        graph.initializer.append(numpy_helper.from_array(np.array([0, 1], np.int64), f"{name}.pad"))
        graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), f"{name}.last"))
        graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), f"{name}.zero"))
    return found, name, pruned


def _products(made: tuple[list[tuple[str, str, int, int, int, int]], str | None, bool], given: str, out: str, unique: str) -> list[Any]:
    """Return the nodes that multiply ``given`` by a layer."""
    from onnx import helper

    found, name, pruned = made
    nodes, answers = [], []
    for levels, scales, bits, block, width, count in found:
        answers.append(out if name is None and len(found) == 1 else f"{unique}.bits{bits}")
        attributes: dict[str, Any] = {"K": width, "N": count, "bits": bits, "block_size": block, "accuracy_level": 0}
        nodes.append(helper.make_node("MatMulNBits", [given, levels, scales], [answers[-1]], domain=_DOMAIN, **attributes))
    if name is None and len(found) == 1:
        return nodes
    joined = answers[0]
    if len(found) > 1:
        joined = f"{unique}.joined" if name is not None else out
        nodes.append(helper.make_node("Concat", answers, [joined], axis=-1))
    if name is None:
        return nodes
    if pruned:
        padded = f"{unique}.padded"
        nodes.append(helper.make_node("Pad", [joined, f"{name}.pad", f"{name}.zero", f"{name}.last"], [padded]))
        joined = padded
    nodes.append(helper.make_node("Gather", [joined, f"{name}.order"], [out], axis=-1))
    return nodes


def _blocks(levels: npt.NDArray[np.int16], bits: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Return levels [C, K] as the kernel stores them, [C, blocks, bytes], and the block's size; padding is the level 0."""
    rows, width = levels.shape
    block = min(max(_SMALLEST, 1 << (width - 1).bit_length()), _LARGEST[bits])
    blocks, each = -(-width // block), 8 // bits
    unsigned = np.full((rows, blocks * block), 2 ** (bits - 1), np.uint8)
    unsigned[:, :width] = levels + 2 ** (bits - 1)
    parts = unsigned.reshape(rows, blocks, block // each, each)
    packed = np.zeros(parts.shape[:3], np.uint8)
    for n in range(each):
        packed |= parts[..., n] << np.uint8(n * bits)
    return packed, block
