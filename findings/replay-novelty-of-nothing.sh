#!/usr/bin/env bash
# RePlay's Novelty takes whom nothing is recommended to as perfectly novel, and asks all who trained: the fewer are served, the more novel.
#
# Versions: replay-rec 0.22.0, pandas 2.3.3, polars 1.44.2, numpy 2.4.6, scipy 1.17.1, pyarrow 23.0.1, Python 3.11.
# Expected: Novelty(10)(recommendations, train) is the mean over the users with recommendations of the share of items that are not in their
#   own training history, as Surprisal and Unexpectedness are means over them; or, by its formula, whose numerator for an empty list is 0 and
#   whose denominator is K, no more than that.
# Seen: it is the mean over all users of train, and each without a list counts 1. Lists that hold nothing but what their users have seen
#   have 0 where all 1,000 users have one, 0.9 where 100 have, 0.99 where 10 have, with pandas, polars and dicts. A test set of a sample of
#   users, or a fleet of which some phones refuse, looks novel by that. A list shorter than K is divided by its own length, not by K. (The
#   package says that metrics are over the users of ground truth, for a system that does not recommend to all; train is none.)
# Remedy: give only those rows of train whose users have recommendations, as below.
# Usage: findings/replay-novelty-of-nothing.sh   (a temporary environment of about 500 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet pandas==2.3.3 polars==1.44.2 numpy==2.4.6 scipy==1.17.1 pyarrow==23.0.1 setuptools==80.9.0
"$folder/env/bin/pip" install --quiet --no-deps replay-rec==0.22.0
cat > "$folder/novel.py" <<'PY'
import sys

import pandas as pd
import polars as pl
from replay.metrics import Novelty, Surprisal

USERS, SEEN, ITEMS, K = 1_000, 20, 500, 10
train = {user: [(7 * user + item) % ITEMS for item in range(SEEN)] for user in range(USERS)}


def rows(lists):
    """Return lists as a table, the best score first."""
    cells = [(user, item, float(-place)) for user, listed in lists.items() for place, item in enumerate(listed)]
    return pd.DataFrame(cells, columns=["query_id", "item_id", "rating"])


same = True
for served in (1_000, 500, 100, 10):
    lists = {user: train[user][:K] for user in range(served)}  # nothing that its user has not seen
    tables = rows(lists), rows(train)
    of_theirs = rows({user: train[user] for user in lists})
    found = {
        "pandas": Novelty(K)(*tables),
        "polars": Novelty(K)(*map(pl.from_pandas, tables)),
        "dicts": Novelty(K)({user: [(item, float(-place)) for place, item in enumerate(listed)] for user, listed in lists.items()}, train),
        "train of these users": Novelty(K)(tables[0], of_theirs),
    }
    found = {name: round(value[f"Novelty@{K}"], 6) for name, value in found.items()}
    surprisal = Surprisal(K)(*tables)[f"Surprisal@{K}"]
    print(f"{served} of {USERS} users served, novelty: " + ", ".join(f"{name} {value}" for name, value in found.items()), end="")
    print(f"; surprisal {surprisal:.3f}")
    same &= found.pop("train of these users") == 0 and set(found.values()) == {1 - served / USERS}
    same &= abs(surprisal - 0.466) < 1e-3
short = Novelty(K)({0: [(1, 1.0)]}, {0: [2]})[f"Novelty@{K}"]
print(f"a list of one unseen item: {short}, by the formula {1 / K}")
same &= short == 1
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/novel.py"
