#!/usr/bin/env bash
# RecBole's ShannonEntropy falls as recommendations spread over more items: ten items for everybody look more diverse than a thousand.
#
# Versions: recbole 1.2.1, torch 2.13.0 (CPU), numpy 1.26.4, pandas 2.3.3, scipy 1.17.1, scikit-learn 1.8.0, Python 3.11.
# Expected: the entropy of how often items are recommended, -sum p log p, as its documentation writes: log n for n items equally often, larger
#   the more there are; RecBole counts it among metrics of which more is better.
# Seen: that entropy divided by the number of distinct recommended items: 0.3466 for two items, 0.2303 for ten, 0.0069 for a thousand. Its
#   largest value over equally often recommended items is that of three; the Gini index of the same lists, which the package gives beside it,
#   says the opposite. Whoever tunes by it, or ranks models by it, picks those that recommend the fewest items.
# Remedy: times the number of distinct items in the lists (ItemCoverage of the same run times the number of items).
# Usage: findings/recbole-entropy-falls.sh   (a temporary environment of about 1.5 GB with a CPU build of torch; exit code 1 if the behaviour
#   is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet recbole==1.2.1 torch==2.13.0 numpy==1.26.4 pandas==2.3.3 scipy==1.17.1 scikit-learn==1.8.0 \
    setuptools==80.9.0
cat > "$folder/spread.py" <<'PY'
import sys

import numpy as np
import torch
from recbole.evaluator.metrics import GiniIndex, ItemCoverage, ShannonEntropy

ITEMS, USERS = 1_000, 1_000
config = {"topk": [10], "metric_decimal_place": 8}
same, found = True, {}
print("items recommended equally often: ShannonEntropy@10, log n, times the items, GiniIndex@10")
for n in (10, 20, 100, 1_000):
    lists = torch.arange(USERS * 10).reshape(USERS, 10) % n  # ten different items for each user, n for all of them
    data = {"rec.items": lists, "data.num_items": ITEMS}  # as RecBole's collector hands it to metrics
    entropy, gini, coverage = (
        next(iter(metric(config).calculate_metric(data).values())) for metric in (ShannonEntropy, GiniIndex, ItemCoverage)
    )
    found[n] = entropy
    mended = entropy * coverage * ITEMS
    print(f"{n}: {entropy:.4f}, {np.log(n):.4f}, {mended:.4f}, {gini:.4f}")
    same &= abs(entropy - np.log(n) / n) < 1e-6 and abs(mended - np.log(n)) < 1e-3
    same &= abs(gini - (1 - n / ITEMS)) < 1e-3
same &= list(found.values()) == sorted(found.values(), reverse=True) and not ShannonEntropy.smaller
pair = {"rec.items": torch.tensor([[0, 1], [1, 0]])}
two = ShannonEntropy({"topk": [2], "metric_decimal_place": 8}).calculate_metric(pair)["shannonentropy@2"]
print(f"two items: {two:.4f}, log 2 = {np.log(2):.4f}")
same &= abs(two - np.log(2) / 2) < 1e-6
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/spread.py"
