#!/usr/bin/env bash
# recommenders' recall, precision and MAP leave out whom nothing is recommended to, its NDCG counts them as 0: they tell two stories.
#
# Versions: recommenders 1.2.1, pandas 2.3.3, numpy 2.4.6, Python 3.11.
# Expected: ndcg_at_k, recall_at_k, precision_at_k and map_at_k of one call are means over the same users, whichever these are, so that they
#   tell one story; a user in rating_true whom rating_pred has no row of counts as a miss, as in LensKit, or is left out of all.
# Seen: 500 users with one target each, which a list of ten has on its first place. All served: all four are at their best. Half of them
#   served: NDCG 0.5, recall 1, MAP 1, precision 0.1. A tenth served: NDCG 0.1, the others as before. The three keep the users that both
#   frames have; NDCG joins from the left, so that who got nothing scores 0.
# Remedy: give every user a row that cannot hit (an item that does not exist), or divide by the users of rating_true (chordsim names what a
#   number is over: all users, or served ones).
# Usage: findings/recommenders-served-only.sh   (a temporary environment of about 1.4 GB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet recommenders==1.2.1 pandas==2.3.3 numpy==2.4.6
cat > "$folder/served.py" <<'PY'
import sys
import warnings

import pandas as pd

warnings.simplefilter("ignore")
from recommenders.evaluation.python_evaluation import map_at_k, ndcg_at_k, precision_at_k, recall_at_k

USERS, K, NOTHING = 500, 10, -1
true = pd.DataFrame({"userID": range(USERS), "itemID": 0, "rating": 1.0})


def lists(served):
    """Return a list of ten items for the first users, with each one's target, item 0, on the first place."""
    rows = [(user, item, float(K - item)) for user in range(served) for item in range(K)]
    return pd.DataFrame(rows, columns=["userID", "itemID", "prediction"])


def measured(predicted):
    """Return NDCG, recall, MAP and precision at ten."""
    return tuple(round(float(metric(true, predicted, k=K)), 6) for metric in (ndcg_at_k, recall_at_k, map_at_k, precision_at_k))


same = True
for served in (USERS, USERS // 2, USERS // 10):
    found = measured(lists(served))
    print(f"{served} of {USERS} users served: NDCG, recall, MAP, precision at {K}: {found}")
    same &= found == (served / USERS, 1.0, 1.0, 1 / K)
absent = pd.DataFrame({"userID": range(USERS // 10, USERS), "itemID": NOTHING, "prediction": 0.0})
remedied = measured(pd.concat([lists(USERS // 10), absent]))
print(f"the last with a row that cannot hit for everybody else: {remedied}")
same &= remedied[:3] == (0.1, 0.1, 0.1)
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/served.py"
