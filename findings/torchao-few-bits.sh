#!/usr/bin/env bash
# torchao without a word: 4 bits leave a narrow model in float32, 2 bits are a byte each on disk, 1 bit makes every weight zero.
#
# Versions: torchao 0.18.0, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11.
# Expected: quantize_(model, Int4WeightOnlyConfig()) of a SASRec of width 50 or 64 has 4 bits a weight or an error;
#   IntxWeightOnlyConfig(weight_dtype=torch.int2) saves about 2 bits a weight, so a quarter of int8; torch.int1 keeps signs.
# Seen: at 50 and at 64 nothing happens, as no input is a multiple of group_size=128: the weights are the float32 ones, the file is as large
#   to the byte, and the line that says so is of level INFO, below what is shown. (Other configs raise an error where groups do not fit.)
#   Weights of 1 to 8 bits all make a file of the same size, a byte a weight. And 1 bit turns all weights to 0: a
#   model that scores every item alike.
# Remedy: give group_size, and assert that the parameter's class has changed; pack bits yourself (chordsim does); leave out int1.
# Usage: findings/torchao-few-bits.sh   (a temporary environment of about 1 GB with a CPU build of torch; exit code 1 if the
#   behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 numpy==2.4.6
cat > "$folder/bits.py" <<'PY'
import io
import logging
import sys
import warnings

import torch
from torch import nn

warnings.simplefilter("always")
shown = io.StringIO()
logging.getLogger().addHandler(logging.StreamHandler(shown))  # what a program with logging as it comes would show
from torchao.quantization import Int4WeightOnlyConfig, IntxWeightOnlyConfig, quantize_

shown.truncate(shown.seek(0))  # lines of the import


def network(width):
    """Return a block's six matrices: four of attention, two of the feed-forward, all as wide as the model."""
    torch.manual_seed(1)
    return nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(6)))


def saved(model):
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return len(file.getvalue())


def error(model, width):
    """Return by how much of their length the answers of the first layer are off."""
    x = torch.randn(256, width, generator=torch.Generator().manual_seed(2))
    before = network(width)[0](x)
    return float(torch.linalg.norm(model[0](x) - before) / torch.linalg.norm(before))


same = True
with warnings.catch_warnings(record=True) as heard, torch.no_grad():
    for width in (50, 64):
        model = network(width)
        quantize_(model, Int4WeightOnlyConfig())
        kinds = {f"{type(p).__name__} of {p.dtype}" for p in model.parameters()}
        sizes, off = (saved(network(width)), saved(model)), error(model, width)
        print(f"4 bits, width {width}: {', '.join(kinds)}; file {sizes[0]:,} -> {sizes[1]:,} bytes; off by {off:.3f}")
        same &= kinds == {"Parameter of torch.float32"} and sizes[0] == sizes[1] and off == 0
said = [str(one.message) for one in heard if "torchao" in one.filename] + shown.getvalue().splitlines()
print(f"warnings and lines shown meanwhile: {said}")
same &= not any("skip" in line.lower() for line in said)

files = set()
with warnings.catch_warnings(), torch.no_grad():
    warnings.simplefilter("ignore")
    for bits in (8, 4, 2, 1):
        model = network(64)
        quantize_(model, IntxWeightOnlyConfig(weight_dtype=getattr(torch, f"int{bits}")))
        weight = model[0].weight
        levels, off = torch.unique(weight.dequantize()[0]).numel(), error(model, 64)
        files.add(saved(model))
        print(f"{bits} bits: file {saved(model):,} bytes, {weight.qdata.dtype} inside; {levels} levels in a row of 64; off by {off:.3f}")
        same &= weight.qdata.dtype == torch.int8 and (bits > 1 or (levels == 1 and not weight.dequantize().any()))
same &= len(files) == 1
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/bits.py"
