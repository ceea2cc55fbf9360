#!/usr/bin/env bash
# torchmetrics counts no hit whose score is zero or less: the same ranking has a recall of 0.76 as probabilities and of 0 as their logarithms.
#
# Versions: torchmetrics 1.9.0, torch 2.13.0, numpy 2.4.6, Python 3.11.
# Expected: metrics of a ranking depend on the order of scores alone, so logits, softmax, log-softmax and minus a distance, which order
#   items alike, score alike; the classes say "float predictions from a model output", and their check "scores/logits".
# Seen: RetrievalRecall, RetrievalPrecision, RetrievalMRR and RetrievalMAP drop every relevant item whose score is not above 0 (a
#   `torch.where(preds > 0, ...)` in each), without a word: 0.756, 0.494 and 0 for one ranking in three scales. RetrievalHitRate,
#   RetrievalNormalizedDCG, RetrievalRPrecision and RetrievalFallOut, in the same collection, do not. With one target per user HitRate@10
#   and Recall@10 are one number by definition, and here are two. A model whose logits lie higher looks better by nothing else.
# Remedy: give ranks or probabilities: `preds.softmax(-1)`, or `preds - preds.min() + 1`.
# Usage: findings/torchmetrics-scores-below-zero.sh   (a temporary environment of about 1 GB with a CPU build of torch; exit code 1 if the
#   behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
cat > "$folder/scales.py" <<'PY'
import sys

import torch
from torchmetrics import retrieval

USERS, ITEMS = 500, 100
torch.manual_seed(1)
logits = torch.randn(USERS, ITEMS) - 2
target = torch.randint(0, ITEMS, (USERS, 1))
logits.scatter_add_(1, target, torch.full((USERS, 1), 2.0))
relevant = torch.zeros(USERS, ITEMS, dtype=torch.bool).scatter_(1, target, True)
users = torch.arange(USERS)[:, None].expand(USERS, ITEMS)
scales = {
    "softmax": logits.softmax(-1),
    "logits": logits,
    "log-softmax": logits.log_softmax(-1),
    "minus a distance": logits - logits.max() - 1,
}
order = logits.argsort(-1)
assert all(torch.equal(scores.argsort(-1), order) for scores in scales.values())  # one ranking, without ties

place = (logits > logits.gather(1, target)).sum(-1) + 1.0
first = place <= 10
right = {
    "RetrievalRecall": first.float().mean(),
    "RetrievalPrecision": first.float().mean() / 10,
    "RetrievalMRR": torch.where(first, 1 / place, 0.0).mean(),
    "RetrievalMAP": torch.where(first, 1 / place, 0.0).mean(),
    "RetrievalHitRate": first.float().mean(),
    "RetrievalNormalizedDCG": torch.where(first, 1 / torch.log2(place + 1), 0.0).mean(),
}
above = logits.gather(1, target)[:, 0] > 0  # whom the metrics in question still count
same = True
for name, expected in right.items():
    found = {}
    for scale, scores in scales.items():
        metric = getattr(retrieval, name)(top_k=10)
        found[scale] = float(metric(scores.flatten(), relevant.flatten(), indexes=users.flatten()))
    print(f"{name}, expected {expected:.4f}: " + ", ".join(f"{scale} {value:.4f}" for scale, value in found.items()))
    by_order = name in ("RetrievalHitRate", "RetrievalNormalizedDCG")
    same &= abs(found["softmax"] - expected) < 1e-4
    same &= all((abs(found[scale] - expected) < 1e-4) == by_order for scale in ("logits", "log-softmax", "minus a distance"))
    same &= by_order or found["log-softmax"] == found["minus a distance"] == 0
    if name == "RetrievalRecall":
        same &= abs(found["logits"] - float((first & above).float().mean())) < 1e-4
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/scales.py"
