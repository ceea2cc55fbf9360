#!/usr/bin/env bash
# ONNX Runtime's quantize_dynamic gives a table of items one scale, also with per_channel=True: short rows lose their bits to long ones.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, Python 3.11.
# Expected: quantize_dynamic(..., per_channel=True, weight_type=QInt8) puts every weight into int8 with a scale for each channel, which of an
#   embedding table is each row: every row is off by 0.6 % of its length.
# Seen: the weight of MatMul gets int8 and 64 scales, the table of Gather uint8 and one scale; per_channel and weight_type change no byte of
#   it. Of 2,000 rows of 64 whose lengths are log-normal with a sigma of 0.3, as those of a SASRec on MovieLens (0.22 to 0.36), the median
#   row is off by 1.9 %, three times as far. With a sigma of 1 it is off by 24 %, as with 3 bits and a scale a row, and the shortest tenth
#   by 94 %: nearly all zeros. The file is hardly smaller for it: 2,000 scales would be 8 kB of 133.
# Remedy: quantize tables by row yourself (chordsim does, in every width), or leave Gather out: op_types_to_quantize=["MatMul"].
# Usage: findings/onnx-tables-one-scale.sh   (a temporary environment of about 150 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cat > "$folder/table.py" <<'PY'
import logging
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
ITEMS, WIDTH = 2000, 64
random = np.random.default_rng(1)
spread = np.sort(random.normal(size=ITEMS))[::-1]
rows = random.normal(size=(ITEMS, WIDTH))
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
weight = random.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 8

nodes = [helper.make_node("Gather", ["table", "items"], ["rows"]), helper.make_node("MatMul", ["rows", "weight"], ["y"])]
ends = [
    helper.make_tensor_value_info("items", TensorProto.INT64, [20]),
    helper.make_tensor_value_info("y", TensorProto.FLOAT, [20, WIDTH]),
]


def save(table):
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(weight, "weight")]
    graph = helper.make_graph(nodes, "look up", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), sys.argv[1])


def off(kept, table):
    """Return how far each row is off, over its length."""
    return np.linalg.norm(kept - table, axis=1) / np.linalg.norm(table, axis=1)


def by_row(table, bits):
    steps = np.abs(table).max(1, keepdims=True) / (2 ** (bits - 1) - 1)
    return off(np.rint(table / steps) * steps, table)


def told(name, far):
    shortest = far[-ITEMS // 10 :]
    print(f"  {name}: longest row {far[0]:.1%}, median {np.median(far):.1%}, the median of the shortest tenth {np.median(shortest):.1%}")
    return far


same = True
for sigma, least in ((0.3, 0.01), (1.0, 0.2)):
    table = (rows * np.exp(sigma * spread)[:, None]).astype(np.float32)
    save(table)
    tables = set()
    print(f"lengths log-normal, sigma {sigma}")
    for per_channel in (False, True):
        for kind in (QuantType.QInt8, QuantType.QUInt8):
            quantize_dynamic(sys.argv[1], sys.argv[2], per_channel=per_channel, weight_type=kind)
            held = {c.name: numpy_helper.to_array(c) for c in onnx.load(sys.argv[2]).graph.initializer}
            levels, scale, zero = (held[f"table_{part}"] for part in ("quantized", "scale", "zero_point"))
            other, scales = held["weight_quantized"], held["weight_scale"]
            print(f"  per_channel={per_channel}, {kind}: table {levels.dtype}, scales {scale.size}; weight {other.dtype}, scales {scales.size}")
            tables.add(levels.tobytes())
            same &= levels.dtype == np.uint8 and scale.size == 1 and scales.size == (WIDTH if per_channel else 1)
            same &= other.dtype == (np.int8 if kind == QuantType.QInt8 else np.uint8)
    far = told("as quantize_dynamic keeps it", off((levels.astype(np.float32) - float(zero.item())) * scale, table))
    eight, *_ = [told(f"{bits} bits, a scale a row", by_row(table, bits)) for bits in (8, 7, 3)]
    same &= len(tables) == 1 and eight.max() < 0.015 and np.median(far) > least
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/table.py" "$folder/plain.onnx" "$folder/quantized.onnx"
