#!/usr/bin/env bash
# torch.onnx.export answers NaN for histories that are padded in front, where torch and ExecuTorch answer numbers.
#
# Versions: torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, Python 3.11. ExecuTorch 1.5.1 (XNNPACK) was tried by hand.
# Expected: the exported model answers what the module answers: two blocks of causal attention that leave out padded positions.
# Seen: a padded position in front of the history may look at nothing. For such a row scaled_dot_product_attention gives 0, and so do
#   ExecuTorch and opset 23, which has an operator for it. Opsets up to 22, the exporter's default among them, get a softmax of minus
#   infinities: NaN, which the next block's products carry to all positions. A history that fills the window is right, and so is one
#   block alone. A mask of booleans gives the mean of all values, padding included, in place of 0: other, but finite and looked at by
#   nobody. nn.MultiheadAttention does all this by itself, and in torch its fast path (eval without gradients) is NaN too.
# Remedy: let every position look at itself. chordsim's SASRec does; `chordsim export --check` fails a model that does not.
# Usage: findings/onnx-padded-histories.sh   (a temporary environment of about 1 GB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/padded.py" <<'PY'
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import onnxruntime
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

torch.manual_seed(0)


class Blocks(nn.Module):
    def __init__(self, blocks, kind):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 48) for _ in range(blocks))
        self.kind = kind

    def forward(self, x, pad):
        may = torch.ones(6, 6, dtype=torch.bool).tril() & ~pad[:, None, None, :]
        if self.kind == "itself":
            may = may | torch.eye(6, dtype=torch.bool)
        mask = may if self.kind == "bool" else torch.zeros(may.shape).masked_fill(~may, -torch.inf)
        for layer in self.layers:
            q, k, v = (part[:, None] for part in layer(x).chunk(3, -1))
            x = x + scaled_dot_product_attention(q, k, v, attn_mask=mask)[:, 0]
        return x[:, -1]


class Ready(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.MultiheadAttention(16, 2, batch_first=True) for _ in range(2))

    def forward(self, x, pad):
        later = torch.ones(6, 6, dtype=torch.bool).triu(1)
        for layer in self.layers:
            x = x + layer(x, x, x, attn_mask=later, key_padding_mask=pad, need_weights=False)[0]
        return x[:, -1]


x = torch.randn(1, 6, 16)
short, full = (torch.tensor([[bool(n)] * 3 + [False] * 3]) for n in (1, 0))


def answers(module, opset):
    torch.backends.mha.set_fastpath_enabled(False)
    made = torch.onnx.export(module.eval(), (x, short), None, dynamo=True, opset_version=opset, verbose=False)
    made.save(sys.argv[1])
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    told = []
    for pad in (short, full):
        with torch.no_grad():
            right = module(x, pad)
        names = [value.name for value in session.get_inputs()]
        got = torch.from_numpy(session.run(None, dict(zip(names, (x.numpy(), pad.numpy()), strict=True)))[0])
        close = torch.allclose(got, right, atol=1e-5)
        told.append("as torch" if close else "NaN" if got.isnan().all() else "other")
        assert right.isfinite().all()
    return told


stated = {
    ("two blocks", None): ["NaN", "as torch"],
    ("two blocks", 22): ["NaN", "as torch"],
    ("two blocks", 23): ["as torch", "as torch"],
    ("one block", None): ["as torch", "as torch"],
    ("two blocks, booleans", None): ["as torch", "as torch"],
    ("two blocks, itself allowed", None): ["as torch", "as torch"],
    ("two of MultiheadAttention", None): ["NaN", "as torch"],
}
modules = {
    "two blocks": Blocks(2, "float"),
    "one block": Blocks(1, "float"),
    "two blocks, booleans": Blocks(2, "bool"),
    "two blocks, itself allowed": Blocks(2, "itself"),
    "two of MultiheadAttention": Ready(),
}
same = True
for (name, opset), expected in stated.items():
    found = answers(modules[name], opset)
    same &= found == expected
    print(f"{name}, opset {opset or 'of the exporter'}: padded in front {found[0]}, full {found[1]}")
torch.backends.mha.set_fastpath_enabled(True)
with torch.no_grad():
    fast = modules["two of MultiheadAttention"](x, short)
print(f"torch's own fast path of MultiheadAttention, padded in front: {'NaN' if fast.isnan().all() else 'numbers'}")
same &= bool(fast.isnan().all())
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/padded.py" "$folder/padded.onnx"
