#!/usr/bin/env bash
# torchmetrics divides average precision at k by the hits among the k: a list that finds more of what is relevant scores less.
#
# Versions: torchmetrics 1.9.0, torch 2.13.0, pytrec_eval-terrier 0.5.11 (trec_eval), numpy 2.4.6, Python 3.11.
# Expected: RetrievalMAP(top_k=10) is the sum of precisions at the hits over the number of relevant items, as trec_eval's map_cut_10, or
#   over the smaller of these and 10, as RecBole: one more hit among the ten can only raise it.
# Seen: of 8 relevant items the first place alone gives 1, a perfect score with 7 of 8 missed; the first, third and fifth give 0.756, five
#   hits 0.679. Expected are 0.125, 0.283 and 0.424: the order of the three lists is turned round. Without top_k and with one relevant item
#   per user the two agree. So a figure of MAP@10 is too high by as much as recall@10 is low, and a change that trades sure hits for more
#   hits looks worse.
# Usage: findings/torchmetrics-map-of-hits.sh   (a temporary environment of about 1 GB with a CPU build of torch; exit code 1 if the
#   behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torchmetrics==1.9.0 torch==2.13.0 pytrec_eval-terrier==0.5.11 numpy==2.4.6
cat > "$folder/lists.py" <<'PY'
import sys

import pytrec_eval
import torch
from torchmetrics.retrieval import RetrievalMAP

ITEMS = 40
scores = torch.linspace(1, 0.1, ITEMS)  # above 0, falling, without ties: item n stands at place n + 1
run = {"u": {f"{item:02}": float(score) for item, score in enumerate(scores)}}
lists = {  # the places of the relevant items, and MAP@10 of torchmetrics and of trec_eval
    "1 of 8 first": ([1, *range(21, 28)], 1.0, 0.125),
    "3 of 8 at 1, 3, 5": ([1, 3, 5, *range(21, 26)], 0.756, 0.283),
    "5 of 8 at 1, 3, 5, 7, 9": ([1, 3, 5, 7, 9, *range(21, 24)], 0.679, 0.424),
    "1 of 1 at 3": ([3], 0.333, 0.333),
}
same = True
for name, (places, stated, right) in lists.items():
    relevant = torch.zeros(ITEMS, dtype=torch.bool)
    relevant[torch.tensor(places) - 1] = True
    users = torch.zeros(ITEMS, dtype=torch.long)
    judged = {"u": {f"{place - 1:02}": 1 for place in places}}
    trec = pytrec_eval.RelevanceEvaluator(judged, {"map_cut_10", "map"}).evaluate(run)["u"]
    cut = float(RetrievalMAP(top_k=10)(scores, relevant, indexes=users))
    whole = float(RetrievalMAP()(scores, relevant, indexes=users))
    print(f"{name}: MAP@10 {cut:.3f}, trec_eval {trec['map_cut_10']:.3f}; MAP {whole:.3f}, trec_eval {trec['map']:.3f}")
    same &= abs(cut - stated) < 1e-3 and abs(trec["map_cut_10"] - right) < 1e-3 and abs(whole - trec["map"]) < 1e-5
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/lists.py"
