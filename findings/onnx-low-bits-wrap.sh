#!/usr/bin/env bash
# onnx.helper.make_tensor wraps and cuts low-bit weights since 1.19, where it clipped and rounded them before: the largest change sign.
#
# Versions: onnx 1.18.0 and 1.23.2 (1.19.1 and 1.20.1 as the latter, 1.16.2 as the former), numpy 2.4.6, Python 3.11.
# Expected: make_tensor(name, TensorProto.INT4, shape, values) of one exporter writes the same weights under both: values beyond -8 to 7 are
#   clipped, as QuantizeLinear clips them, and numbers between two levels are rounded; or it raises, as it does for a list of int8.
# Seen: up to 1.18 it clips and rounds. Since 1.19 it takes values modulo 16, so that 8 is written as -8 and -9 as 7, and cuts off what is
#   behind the point, all without a word. A scale of the channel's largest weight / 8, which is usual for a symmetric code and was right
#   before, turns a channel's largest weight, where it is positive, into its opposite: weights are off by 0.55 of their length instead of 0.10.
#   Unrounded values in range are off by 0.21 where 1.18 had 0.11. INT2, there since 1.20, wraps alike (2 becomes -2), and so does INT8 of an
#   array of floats (200 becomes -56). A list with a float that is out of range raises; an array of the same numbers does not.
# Remedy: numpy.clip(numpy.rint(values), -8, 7) before make_tensor, or a QuantizeLinear node, which clips and rounds in every version.
# Usage: findings/onnx-low-bits-wrap.sh   (two temporary environments of about 130 MB each; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/weights.py" <<'PY'
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

clips = sys.argv[1] == "clips"
weights = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
steps = np.abs(weights).max(axis=1, keepdims=True) / 8
levels = weights / steps


def written(values, kind=TensorProto.INT4):
    """Return what a tensor of low-bit weights holds after it was written and read."""
    tensor = helper.make_tensor("weights", kind, values.shape, values.flatten())
    return numpy_helper.to_array(onnx.TensorProto.FromString(tensor.SerializeToString())).astype(np.float32)


def off(values, step=steps):
    """Return by how much of their length the weights are off."""
    return float(np.linalg.norm(written(values) * step - weights) / np.linalg.norm(weights))


rounded, clipped = off(np.rint(levels)), off(np.clip(np.rint(levels), -8, 7))
in_range = 8 * steps / 7
unrounded = off(weights / in_range, in_range)
few = np.array([8, -9, 7], dtype=np.int32)
print(f"onnx {onnx.__version__}: 8, -9, 7 become {written(few).astype(int).tolist()}; weights are off by")
print(f"  {rounded:.2f} where they were rounded, {clipped:.2f} where they were rounded and clipped, {unrounded:.2f} in range and unrounded")
opposite = int(((np.rint(levels) == 8) & (written(np.rint(levels)) == -8)).sum())
print(f"  {opposite} of 64 channels have their largest weight with the opposite sign")
same = written(few).tolist() == ([7, -8, 7] if clips else [-8, 7, 7]) and clipped < 0.15
same &= (rounded < 0.15 and unrounded < 0.15 and opposite == 0) if clips else (rounded > 0.4 and unrounded > 0.17 and opposite > 20)
if not clips:
    two = written(np.array([2, -3, 1], dtype=np.int32), TensorProto.INT2).tolist()
    eight = written(np.array([200.0, -2.6], dtype=np.float32), TensorProto.INT8).tolist()
    print(f"  INT2: 2, -3, 1 become {two}; INT8: 200.0, -2.6 become {eight}")
    same &= two == [-2, 1, 1] and eight == [-56, -2]
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
for version in "1.18.0 clips" "1.23.2 wraps"; do
  "${PYTHON:-python3.11}" -m venv --clear "$folder/env"
  "$folder/env/bin/pip" install --quiet "onnx==${version% *}" numpy==2.4.6
  "$folder/env/bin/python" "$folder/weights.py" "${version#* }"
done
