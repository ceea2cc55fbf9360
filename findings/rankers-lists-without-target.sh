#!/usr/bin/env bash
# LightGBM and CatBoost give a list that holds nothing relevant an NDCG of 1: the fewer lists hold their target, the better the ranking.
#
# Versions: lightgbm 4.7.0, catboost 1.2.10, numpy 2.4.6, scipy 1.17.1, Python 3.11.
# Expected: a user whose target is not in the list counts 0, as in scikit-learn and torchmetrics, or is left out; a re-ranker behind a
#   retriever that loses targets is then no better than the retriever lets it be, or is told on the others.
# Seen: each such list adds 1 to NDCG@10, in LightGBM to MAP@10 as well, in CatBoost to RecallAt as well, whose MAP and MRR count 0. Lists
#   of 100 in an order drawn at random have 0.05 where all hold their target, 0.43 where 59 % do, 1.0 where none does. Of two retrievers
#   the worse one looks better, and no figure is one that a user would see.
# Remedy: leave such groups out of the evaluated set, and multiply by the share of lists that hold the target. (XGBoost does the same, its
#   manual says so, and "ndcg@10-" counts 0.)
# Usage: findings/rankers-lists-without-target.sh   (a temporary environment of about 600 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet lightgbm==4.7.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 six==1.17.0
"$folder/env/bin/pip" install --quiet --no-deps catboost==1.2.10
cat > "$folder/lists.py" <<'PY'
import sys

import lightgbm
import numpy as np
from catboost.utils import eval_metric

USERS, LISTED = 1000, 100
random = np.random.default_rng(1)
scores = random.normal(size=(USERS, LISTED))
users = np.repeat(np.arange(USERS), LISTED)


def figures(share):
    """Return the figures at 10 of the lists as they are expected, and those of the two libraries."""
    holds = np.arange(USERS) < share * USERS
    labels = np.zeros((USERS, LISTED))
    labels[holds, 0] = 1
    place = 1 + (scores > scores[:, :1]).sum(1)
    seen = holds & (place <= 10)
    expected = {
        "NDCG": np.where(seen, 1 / np.log2(place + 1), 0).mean(),
        "MAP": np.where(seen, 1 / place, 0).mean(),
        "Recall": seen.mean(),
    }
    data = lightgbm.Dataset(scores.reshape(-1, 1), labels.ravel(), group=[LISTED] * USERS, init_score=scores.ravel())
    kept = {}
    settings = {"objective": "lambdarank", "metric": ["ndcg", "map"], "eval_at": [10]}
    settings |= {"learning_rate": 1e-9, "num_threads": 1, "verbose": -1}  # one round that changes nothing: the scores are the given ones
    lightgbm.train(settings, data, 1, valid_sets=[data], callbacks=[lightgbm.record_evaluation(kept)])
    (of_light,) = kept.values()
    light = {"NDCG": of_light["ndcg@10"][0], "MAP": of_light["map@10"][0]}
    names = {"NDCG": "NDCG:top=10", "MAP": "MAP:top=10", "Recall": "RecallAt:top=10"}
    cat = {key: eval_metric(labels.ravel(), scores.ravel(), name, group_id=users)[0] for key, name in names.items()}
    return expected, light, cat


same = True
for share in (1.0, 0.59, 0.0):
    expected, light, cat = figures(share)
    print(f"{share:.0%} of the lists hold their target")
    for name, row in (("expected", expected), ("LightGBM", light), ("CatBoost", cat)):
        print(f"  {name}: " + ", ".join(f"{key} {value:.3f}" for key, value in row.items()))
        for key, value in row.items():
            added = 0 if name == "expected" or (name, key) == ("CatBoost", "MAP") else 1 - share
            same &= abs(value - expected[key] - added) < 1e-3
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/lists.py"
