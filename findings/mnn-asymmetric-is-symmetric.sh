#!/usr/bin/env bash
# MNN's converter quantizes weights asymmetrically, unless it is asked to: --weightQuantAsymmetric makes them symmetric.
#
# Versions: mnn 3.6.1, onnx 1.23.2, numpy 2.4.6, Python 3.11.
# Expected: as --help says, symmetric levels by default, and with --weightQuantAsymmetric a least and a largest level a channel, which lose
#   less, above all at 2 bits.
# Seen: the other way round. Without the flag all 4 levels of 2 bits are used, with it, with `=true` and with `=false`, 3: weights are off by
#   0.72 of their length instead of 0.45 at 2 bits, 0.108 instead of 0.091 at 4. `--hqq`, which needs asymmetric levels, is dropped beside the
#   flag that asks for them, with a line among the others. The flag's value is read as a number: `=1` alone means yes. (The manual on the web
#   says that asymmetric is the default.)
# Remedy: leave the flag out, or write --weightQuantAsymmetric=1. The command `mnnconvert` calls the function below; it also installs a
#   package for telemetry, by whichever pip comes first, so it is not run here.
# Usage: findings/mnn-asymmetric-is-symmetric.sh   (a temporary environment of about 250 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet mnn==3.6.1 onnx==1.23.2 numpy==2.4.6
cat > "$folder/levels.py" <<'PY'
import os
import sys

import _tools
import MNN.expr as expr
import MNN.nn as nn
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

os.chdir(sys.argv[1])
IN, OUT = 64, 128
weight = np.random.default_rng(1).normal(size=(IN, OUT)).astype(np.float32)
one = np.eye(IN, dtype=np.float32)  # the product with it is the weight that the phone has
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [IN, wide]) for name, wide in (("x", IN), ("y", OUT))]
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), "model.onnx")


def on_phone(*flags):
    """Return the weight that a converted model multiplies by; the converter's words go nowhere."""
    words, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    _tools.mnnconvert(["MNNConvert", "-f", "ONNX", "--modelFile", "model.onnx", "--MNNModel", "model.mnn", "--bizCode", "b", *flags])
    os.dup2(words, 1)
    x = expr.placeholder([IN, IN], expr.NCHW, expr.float)
    x.write(one)
    return np.array(nn.load_module_from_file("model.mnn", ["x"], ["y"]).forward(x).read()).reshape(IN, OUT).copy()


def symmetric(bits):
    top = 2 ** (bits - 1) - 1
    scale = np.abs(weight).max(0) / top
    return np.round(weight / scale).clip(-top, top) * scale


def asymmetric(bits):
    least, most = weight.min(0), weight.max(0)
    scale = (most - least) / (2**bits - 1)
    return np.round((weight - least) / scale) * scale + least


def off(other):
    return float(np.linalg.norm(other - weight) / np.linalg.norm(weight))


FLAG = "--weightQuantAsymmetric"
same = off(on_phone()) < 1e-6
for bits in (8, 4, 2):
    losses = {"symmetric": off(symmetric(bits)), "asymmetric": off(asymmetric(bits))}
    print(f"{bits} bits: " + ", ".join(f"{name} loses {loss:.4f}" for name, loss in losses.items()))
    for flags in ([], [FLAG], [FLAG + "=true"], [FLAG + "=false"], [FLAG + "=1"], ["--hqq"], [FLAG, "--hqq"]):
        found = on_phone("--weightQuantBits", str(bits), *flags)
        levels = max(len(np.unique(found[:, column].round(5))) for column in range(OUT))
        print(f"  {' '.join(flags) or 'no flag'}: loses {off(found):.4f}, {levels} levels at most in a channel")
        if flags in ([], [FLAG + "=1"]):
            same &= abs(off(found) / losses["asymmetric"] - 1) < 0.02 and off(found) < 0.95 * losses["symmetric"]
            same &= bits > 2 or levels == 4
        elif flags == ["--hqq"]:
            same &= off(found) < losses["asymmetric"]
        else:
            # One weight in thousands lies halfway between two levels.
            same &= np.mean(np.abs(found - symmetric(bits)) > 1e-4) < 1e-3 and (bits > 2 or levels == 3)
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/levels.py" "$folder"
