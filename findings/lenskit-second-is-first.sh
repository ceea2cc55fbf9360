#!/usr/bin/env bash
# LensKit's NDCG gives the second place as much as the first: one target a user has 1, 1, 0.63, 0.5 where others say 1, 0.63, 0.5, 0.43.
#
# Versions: lenskit 2025.8.1, torch 2.13.0 (CPU), numpy 2.4.6, pandas 2.3.3, Python 3.11.
# Expected: NDCG(n=10) of a list with one relevant item at place p is 1 / log2(p + 1), as in RecBole, scikit-learn, trec_eval, RePlay.
# Seen: it is 1 / max(log2(p), 1), the discount of 2002, which does not tell the first two places apart. Targets that are equally often at
#   each of 100 places have 0.0525 instead of 0.0454, 16 % more; a list that always has its target second (1.000) beats one that has it
#   first in half of all cases and third in the others (0.815), where others say 0.631 and 0.750: figures of two programs are not
#   comparable, and methods may change places.
# Remedy: NDCG(n=10, discount=lambda ranks: numpy.log2(ranks + 1)).
# Usage: findings/lenskit-second-is-first.sh   (a temporary environment of about 1.5 GB with a CPU build of torch; exit code 1 if the
#   behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet lenskit==2025.8.1 torch==2.13.0 numpy==2.4.6 pandas==2.3.3
cat > "$folder/places.py" <<'PY'
import sys

import numpy as np
from lenskit.data import ItemList
from lenskit.metrics import NDCG

TARGET = 7


def at(place, metric):
    """Return the metric of a list of ten that has the one target at a place, or not at all."""
    items = list(range(100, 110))
    if place <= 10:
        items[place - 1] = TARGET
    return float(metric.measure_list(ItemList(item_ids=items, ordered=True), ItemList(item_ids=[TARGET])))


def usual(place):
    return 1 / np.log2(place + 1) if place <= 10 else 0.0


plain, mended = NDCG(n=10), NDCG(n=10, discount=lambda ranks: np.log2(ranks + 1))
same = True
for place in (1, 2, 3, 4, 10, 11):
    seen, remedied = at(place, plain), at(place, mended)
    print(f"target at place {place}: {seen:.4f}; with the remedy {remedied:.4f}; 1 / log2(p + 1) {usual(place):.4f}")
    old = 1 / max(np.log2(place), 1) if place <= 10 else 0.0
    same &= abs(seen - old) < 1e-6 and abs(remedied - usual(place)) < 1e-6
means = [np.mean([score(place) for place in range(1, 101)]) for score in (lambda p: at(p, plain), usual)]
print(f"at each of 100 places once: {means[0]:.4f}, by the other {means[1]:.4f}: {means[0] / means[1] - 1:+.0%}")
second, mixed = at(2, plain), (at(1, plain) + at(3, plain)) / 2
print(f"always second {second:.3f}, first or third {mixed:.3f}; by the other {usual(2):.3f}, {(usual(1) + usual(3)) / 2:.3f}")
same &= means[0] > 1.1 * means[1] and second > mixed and usual(2) < (usual(1) + usual(3)) / 2
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/places.py"
