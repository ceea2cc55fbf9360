#!/usr/bin/env bash
# Evidently's ranking metrics put both of two items with one score first: NDCG comes to 1.23, and coarse scores look better than fine ones.
#
# Versions: evidently 0.7.23, pandas 2.3.3, numpy 2.4.6, Python 3.11.
# Expected: NDCG is at most 1; of items with one score the target is last, first or in the middle, so that over many lists scores that cannot
#   tell items apart give what chance gives.
# Seen: from scores it makes ranks as the mean of the places that a tie covers, cut to a whole number: of two at places 1 and 2 both are first.
#   Two relevant items with one score at the top have an NDCG@10 of 1.2263. Of 2,000 lists of 20 items whose order is by chance, NDCG@10 is
#   0.223 where every item has its own score, 0.251 where two items at a time share one and 0.289 where all do; the hit rate of a model that
#   gives every item the same score is then 1, as place 10.5 counts as 10.
# Remedy: give ranks instead of scores (Recsys(recommendations_type="rank")), made with ties broken.
# Usage: findings/evidently-ndcg-above-one.sh   (a temporary environment of about 900 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet evidently==0.7.23 pandas==2.3.3 numpy==2.4.6
cat > "$folder/ties.py" <<'PY'
import sys
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Recsys, Report
from evidently.metrics import MRR, NDCG, HitRate

LISTS, ITEMS = 2_000, 20


def values(table, kind="score"):
    """Return NDCG, MRR and hit rate at 10."""
    column = Recsys(user_id="user", item_id="item", target="target", prediction="prediction", recommendations_type=kind)
    data = Dataset.from_pandas(table, data_definition=DataDefinition(ranking=[column]))
    made = Report([NDCG(k=10), MRR(k=10), HitRate(k=10)]).run(data).dict()["metrics"]
    return [float(list(one["value"]["value"].values())[9]) for one in made]


scores = [1.0, 1.0] + [0.1 * -place for place in range(10)]
tied = pd.DataFrame({"user": 0, "item": range(12), "target": [1, 1] + [0] * 10, "prediction": scores})
above = values(tied)[0]
print(f"two relevant items with one score at the top: NDCG@10 {above:.4f}")
same = abs(above - 2 / (1 + 1 / np.log2(3))) < 1e-6

rng = np.random.default_rng(0)
places = np.stack([rng.permutation(ITEMS) for _ in range(LISTS)])  # the target of each list is item 0
table = pd.DataFrame({"user": np.repeat(np.arange(LISTS), ITEMS), "item": np.tile(np.arange(ITEMS), LISTS)})
table["target"] = (table["item"] == 0).astype(int)
found = {}
for shared in (1, 2, 4, ITEMS):
    found[shared] = values(table.assign(prediction=-(places.ravel() // shared).astype(float)))
    ndcg, mrr, hits = found[shared]
    print(f"{shared} items a score, order by chance: NDCG@10 {ndcg:.3f}, MRR@10 {mrr:.3f}, hit rate {hits:.3f}")
broken = values(table.assign(prediction=places.ravel() + 1), "rank")
print(f"as ranks with ties broken: NDCG@10 {broken[0]:.3f}, MRR@10 {broken[1]:.3f}, hit rate {broken[2]:.3f}")
same &= found[1][0] < 0.9 * found[2][0] < found[ITEMS][0] and found[ITEMS][2] == 1 and np.allclose(broken, found[1])
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/ties.py"
