#!/usr/bin/env bash
# implicit's precision@10 divides by the relevant items where they are fewer than ten: with one target a user it is the hit rate.
#
# Versions: implicit 0.7.3, numpy 2.4.6, scipy 1.17.1, Python 3.11.
# Expected: precision@10 is hits / 10, as in RecBole, RePlay, LensKit, trec_eval: one target a user, found by half of them, is 0.05.
# Seen: hits / min(10, relevant items), summed over users before they are divided: 0.489 where 0.049 was expected, the same number as recall.
#   With 1 to 20 targets a user it is 0.657, above precision (0.509) and above recall (0.488), and no mean over users.
#   Ten times the precision of another paper may be this.
# Remedy: count hits yourself; NDCG and, for one target, MAP are as elsewhere.
# Usage: findings/implicit-precision-is-recall.sh   (a temporary environment of about 200 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet implicit==0.7.3 numpy==2.4.6 scipy==1.17.1
cat > "$folder/precision.py" <<'PY'
import sys
import warnings

import numpy as np
from scipy import sparse

warnings.filterwarnings("ignore")
from implicit.evaluation import ranking_metrics_at_k

USERS, ITEMS, K = 1000, 500, 10
rng = np.random.default_rng(1)
shown = np.array([rng.permutation(ITEMS)[:K] for _ in range(USERS)], dtype=np.int32)


class Fixed:
    """A model that has its lists."""

    def recommend(self, userid, user_items, N=10, **_):
        return shown[np.asarray(userid)][:, :N], np.ones((len(userid), N), np.float32)


def test_items(most):
    """Return every user's relevant items, 1 to most of them, each on the list in half of all cases."""
    relevant = []
    for row in shown:
        count = rng.integers(1, most + 1)
        listed, others = rng.permutation(row), rng.permutation(np.setdiff1d(np.arange(ITEMS), row))
        hits = min(int(rng.binomial(count, 0.5)), K)
        relevant.append(np.concatenate([listed[:hits], others[: count - hits]]))
    return relevant


same = True
for most in (1, 20):
    relevant = test_items(most)
    rows = np.repeat(np.arange(USERS), [len(some) for some in relevant])
    test = sparse.csr_matrix((np.ones(rows.size), (rows, np.concatenate(relevant))), shape=(USERS, ITEMS))
    seen = ranking_metrics_at_k(Fixed(), sparse.csr_matrix((USERS, ITEMS)), test, K=K, show_progress=False)["precision"]
    hits = np.array([np.isin(row, some).sum() for row, some in zip(shown, relevant)])
    counts = np.array([len(some) for some in relevant])
    precision, recall, ratio = (hits / K).mean(), (hits / counts).mean(), hits.sum() / np.minimum(counts, K).sum()
    print(f"1 to {most} relevant items a user: implicit {seen:.3f}; hits / {K} {precision:.3f}; recall {recall:.3f}; sum by sum {ratio:.3f}")
    same &= abs(seen - ratio) < 1e-9 and seen > 1.2 * max(precision, recall if most > 1 else 0) and (most > 1 or abs(seen - recall) < 1e-9)
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/precision.py"
