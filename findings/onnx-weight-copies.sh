#!/usr/bin/env bash
# torch.onnx.export writes a weight that n products share n times, where their inputs have three dimensions.
#
# Versions: torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, Python 3.11.
# Expected: one 64 x 64 weight in float32, 16 kB, in the model, as ExecuTorch's exporter and optimize=False write it.
# Seen: 20 products give 20 equal constants, 351,265 bytes; with optimize=False one, 48,661 bytes. The optimizer turns linear(x, w) into
#   Transpose and MatMul, and folds each Transpose of the same weight into a constant of its own. Inputs of two dimensions become Gemm
#   with transB, which shares the weight. A recurrent network that is unrolled over 50 steps is five times as large as its weights.
# Usage: findings/onnx-weight-copies.sh   (a temporary environment of about 1 GB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy==2.4.6
cat > "$folder/steps.py" <<'PY'
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import onnx
import torch
import torch.nn.functional as F


class Steps(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(64, 64))

    def forward(self, x):
        for _ in range(20):
            x = torch.tanh(F.linear(x, self.w))
        return x


found = []
for shape, optimize in (((1, 1, 64), True), ((1, 1, 64), False), ((1, 64), True)):
    made = torch.onnx.export(Steps().eval(), (torch.zeros(shape),), None, dynamo=True, opset_version=20, verbose=False, optimize=optimize)
    made.save(sys.argv[1])
    data = open(sys.argv[1], "rb").read()
    constants = [onnx.numpy_helper.to_array(c).tobytes() for c in onnx.load_model_from_string(data).graph.initializer]
    found.append((len(constants), len(set(constants))))
    print(f"input {shape}, optimize={optimize}: {len(data):,} bytes, {len(constants)} constants, {len(set(constants))} different")
same = found == [(20, 1), (1, 1), (1, 1)]
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/steps.py" "$folder/steps.onnx"
