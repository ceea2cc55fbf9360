#!/usr/bin/env bash
# HistogramObserver looks for the best range of 256 levels, however few levels its range of integers has.
#
# Versions: torch 2.13.0 (torch.ao), torchao 0.18.0 (quantization.pt2e, which ExecuTorch's quantizers use), numpy 2.4.6, Python 3.11.
# Expected: HistogramObserver(quant_min=-8, quant_max=7) and (-2, 1) choose the clipping that loses least at 16 and 4 levels, as the
#   observer does at 256: fewer levels, a narrower range.
# Seen: the range is the same, to the last level, at 2, 3, 4 and 8 bits: the search divides by 2 ** (bits of the dtype), and dtype is int8 in
#   each. So at 8 bits it is within 3 % of the least error that a grid of ranges finds, at 4 bits at 2.2 times it, at 2 bits at 4.0 times, for a
#   normal distribution (3.0 and 3.8 for a Laplace one), hardly better than MinMaxObserver. A study of bit widths with this observer, the usual
#   one for activations, charges to low bits what is the fault of the range.
# Remedy: a grid of ranges over the same numbers, as below, or observers made for few bits.
# Usage: findings/histogram-observer-bits.sh   (a temporary environment of about 1 GB with a CPU build of torch; exit code 1 if the
#   behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 numpy==2.4.6
cat > "$folder/ranges.py" <<'PY'
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import torch
from torch.ao.quantization import observer as in_torch
from torchao.quantization.pt2e import observer as in_torchao

torch.manual_seed(0)
values = {"normal": torch.randn(100_000), "Laplace": torch.distributions.Laplace(0.0, 1.0).sample((100_000,))}


def error(x, scale, zero, low, high):
    return float((torch.fake_quantize_per_tensor_affine(x, scale, zero, low, high) - x).square().mean())


same = True
for name, x in values.items():
    for module in (in_torch, in_torchao):
        widths, times = {}, {}
        for bits in (8, 4, 3, 2):
            low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
            seen = {}
            for kind in (module.HistogramObserver, module.MinMaxObserver):
                watching = kind(dtype=torch.qint8 if module is in_torch else torch.int8, quant_min=low, quant_max=high)
                watching(x)
                scale, zero = (float(part) for part in watching.calculate_qparams())
                seen[kind.__name__] = (scale, int(zero), error(x, scale, int(zero), low, high))
            scale, zero, lost = seen["HistogramObserver"]
            widths[bits] = scale * (high - low)
            widest = seen["MinMaxObserver"][0]
            best = min(error(x, widest * part / 100, zero, low, high) for part in range(5, 101))
            times[bits] = lost / best
            print(
                f"{name}, {module.__name__.split('.')[0]}, {bits} bits: range {widths[bits]:.3f}, squared error {lost:.5f}, "
                f"MinMaxObserver {seen['MinMaxObserver'][2]:.5f}, best of a grid {best:.5f}: {times[bits]:.2f} times"
            )
        same &= max(widths.values()) - min(widths.values()) < 1e-3 * widths[8]
        same &= times[8] < 1.15 and 1.8 < times[4] and 3 < times[2]
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/ranges.py"
