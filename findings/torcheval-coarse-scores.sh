#!/usr/bin/env bash
# torcheval's hit rate counts ties for the target and a NaN as a hit: the coarser the scores, the better, and a broken model is perfect.
#
# Versions: torcheval 0.0.7, torch 2.13.0, numpy 2.4.6, Python 3.11.
# Expected: hit_rate(scores, target, k=10) is whether the target is among the ten that torch.topk lists, so that scores that say nothing
#   have 0.01 of 1,000 items however they are rounded; NaN, which no list can be sorted by, raises or is no hit.
# Seen: a target's rank is how many scores are larger, so all that tie with it stand behind it. Scores drawn at random have 0.009; the same
#   rounded to 16 steps, as a model with outputs of 4 bits gives them, 0.024; to 4 steps 0.54; all equal, 1. The list of torch.topk stays
#   at 0.01. A model whose scores became NaN has a hit rate and a reciprocal rank of 1, and one NaN target is a hit at the first place.
#   So of two quantizers the coarser one wins, and a diverged training is kept as the best. HitRate and ReciprocalRank, the classes, do the
#   same. (The example in the documentation has one tie, counted as a hit; nothing says that it is a rule.)
# Remedy: hits of `scores.topk(k).indices == target[:, None]` after a check that all scores are finite; or count half of the ties.
# Usage: findings/torcheval-coarse-scores.sh   (a temporary environment of about 1 GB with a CPU build of torch; exit code 1 if the
#   behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torcheval==0.0.7 torch==2.13.0 numpy==2.4.6
cat > "$folder/coarse.py" <<'PY'
import sys

import torch
from torcheval.metrics import HitRate, ReciprocalRank
from torcheval.metrics.functional import hit_rate, reciprocal_rank

USERS, ITEMS, K = 2_000, 1_000, 10
torch.manual_seed(1)
exact = torch.randn(USERS, ITEMS)
target = torch.randint(ITEMS, (USERS,))


def rounded(steps):
    """Return the scores on a grid of so many steps from the least to the largest one."""
    least, most = exact.min(), exact.max()
    return ((exact - least) / (most - least) * (steps - 1)).round() * ((most - least) / (steps - 1)) + least


def of_classes(scores):
    found = []
    for metric in (HitRate(k=K), ReciprocalRank()):
        metric.update(scores, target)
        found.append(metric.compute().mean().item())
    return found


hits = {}
for name, scores in {"exact": exact, **{f"{s} steps": rounded(s) for s in (256, 16, 4)}, "all equal": torch.zeros_like(exact)}.items():
    hits[name] = hit_rate(scores, target, k=K).mean().item()
    listed = (scores.topk(K).indices == target[:, None]).any(1).float().mean().item()
    first = reciprocal_rank(scores, target).mean().item()
    print(f"{name}: hit_rate {hits[name]:.3f}, in the list of torch.topk {listed:.3f}, reciprocal_rank {first:.3f}")
    hits[name, "listed"] = listed
    assert of_classes(scores)[0] == hits[name]
broken = torch.full_like(exact, torch.nan)
gone = hit_rate(broken, target, k=K).mean().item(), reciprocal_rank(broken, target).mean().item(), *of_classes(broken)
print(f"all NaN: hit_rate, reciprocal_rank and their classes {gone}")
one = exact.clone()
one[torch.arange(USERS), target] = torch.nan
alone = reciprocal_rank(one, target).mean().item()
print(f"the target alone NaN: reciprocal_rank {alone}")
order = [hits[name] for name in ("exact", "256 steps", "16 steps", "4 steps", "all equal")]
same = order == sorted(order) and order[0] < 0.012 < 0.02 < order[2] < 0.5 < order[3] < order[4] == 1.0
same &= all(value < 0.03 for name, value in hits.items() if "listed" in name)
same &= gone == (1.0,) * 4 and alone == 1.0
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/coarse.py"
