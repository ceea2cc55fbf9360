#!/usr/bin/env bash
# ONNX Runtime rounds activations to 8 bits where a model of plain ONNX has low-bit weights and float32 products.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, Python 3.11.
# Expected: DequantizeLinear of a constant and MatMul of float32, as the opset defines them, at every level of optimization: products differ
#   by the order of sums alone, and a weight computes alike however the graph holds it.
# Seen: from ORT_ENABLE_EXTENDED on, which includes the default, the two become one MatMulNBits with accuracy_level 4, whose kernels round
#   each row's activations to 8 bits by blocks: products of 8, 4 and 2 bits, with a scale for each block or each channel, move by 0.6 to
#   0.8 % of the largest one instead of 1e-7. `session.qdq_matmulnbits_accuracy_level` = "1" keeps float32, and so do a weight that
#   two products share and one that is stored as torch's Linear has it and transposed, which stay as they are. So one model has two numerics.
#   Which of them computes in 8 bits is the processor's affair; the attribute is in the optimized graph everywhere.
# Usage: findings/onnx-rounds-activations.sh   (a temporary environment of about 150 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cat > "$folder/products.py" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

LEVELS = ort.GraphOptimizationLevel
PLAIN, DEFAULT = LEVELS.ORT_DISABLE_ALL, LEVELS.ORT_ENABLE_ALL
FLOAT = "session.qdq_matmulnbits_accuracy_level"
WIDTH, BLOCK = 64, 32
random = np.random.default_rng(1)
x = random.normal(size=(8, WIDTH)).astype(np.float32)


def constant(levels, bits):
    each = 8 // bits
    flat = levels.reshape(-1, each) & (2**bits - 1)
    packed = sum(flat[:, place] << bits * place for place in range(each)).astype(np.uint8)
    kind = {8: TensorProto.INT8, 4: TensorProto.INT4, 2: TensorProto.INT2}[bits]
    return helper.make_tensor("levels", kind, levels.shape, packed.tobytes(), raw=True)


def model(bits, scales, form):
    levels = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (WIDTH, WIDTH))
    blocks = {"axis": 0, "block_size": BLOCK} if scales == "block" else {"axis": 1}
    steps = random.uniform(0.01, 0.02, (WIDTH // BLOCK, WIDTH) if scales == "block" else WIDTH).astype(np.float32)
    weight = levels * (np.repeat(steps, BLOCK, axis=0) if scales == "block" else steps).astype(np.float64)
    if form == "transposed":
        levels, blocks["axis"], steps = levels.T.copy(), 1 - blocks["axis"], steps.T.copy()
    nodes = [helper.make_node("DequantizeLinear", ["levels", "steps"], ["rows" if form == "transposed" else "weight"], **blocks)]
    nodes += [helper.make_node("Transpose", ["rows"], ["weight"])] if form == "transposed" else []
    nodes += [helper.make_node("MatMul", ["x", "weight"], ["y"])]
    nodes += [helper.make_node("MatMul", ["y", "weight"], ["z"])] if form == "shared" else []
    last = nodes[-1].output[0]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, WIDTH]) for name in ("x", last)]
    graph = helper.make_graph(nodes, "product", ends[:1], ends[1:], [constant(levels, bits), numpy_helper.from_array(steps, "steps")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13)
    onnx.checker.check_model(made)
    return made.SerializeToString(), (x @ weight @ weight if form == "shared" else x @ weight)


def moved(made, exact, level, settings=()):
    options = ort.SessionOptions()
    options.graph_optimization_level, options.log_severity_level, options.optimized_model_filepath = level, 3, sys.argv[1]
    for key, value in settings:
        options.add_session_config_entry(key, value)
    (got,) = ort.InferenceSession(made, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    fused = [node for node in onnx.load(sys.argv[1]).graph.node if node.op_type == "MatMulNBits"]
    accuracy = [a.i for node in fused for a in node.attribute if a.name == "accuracy_level"]
    return float(np.abs(got - exact).max() / np.abs(exact).max()), accuracy


same = True
for bits in (8, 4, 2):
    for scales in ("block", "channel"):
        made = model(bits, scales, "plain")
        rows = [moved(*made, PLAIN), moved(*made, DEFAULT), moved(*made, DEFAULT, [(FLOAT, "1")])]
        print(f"{bits} bits, a scale each {scales}:", ", ".join(f"{far:.0e} {accuracy}" for far, accuracy in rows))
        same &= [accuracy for _, accuracy in rows] == [[], [4], [1]]
        same &= rows[0][0] < 1e-6 and 1e-3 < rows[1][0] < 1e-1 and rows[2][0] < 1e-6
for form in ("shared", "transposed"):
    far, accuracy = moved(*model(4, "block", form), DEFAULT)
    print(f"4 bits, a scale each block, {form}: {far:.0e} {accuracy}")
    same &= far < 1e-6 and accuracy == []
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/products.py" "$folder/optimized.onnx"
