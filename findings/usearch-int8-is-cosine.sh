#!/usr/bin/env bash
# USearch brings every vector to one length before it rounds it to int8: inner products and distances become cosines, lengths are gone.
#
# Versions: usearch 2.26.6, numpy 2.4.6, Python 3.11.
# Expected: Index(metric="ip", dtype="i8") finds what a user's vector has the largest products with, but for rounding, as dtype="f16" and
#   "e4m3" do; or it raises.
# Seen: it finds the items of the largest cosine instead, in a graph and with exact=True: where items' lengths spread, as those of popular and
#   of rare items do, 0.13 of the ten largest products and 0.94 of the ten largest cosines. metric="l2sq" becomes the cosine too: 0.43 of the
#   nearest. The values that come back are in no unit of the input's (-6,500 for a product of 8). The index is a quarter of float32's size,
#   and its candidates look like those of a bad model, or of one that has unlearnt what is popular.
# Remedy: round with one scale for all items and hand int8 in: 0.98 of the largest products, at the same size. Or "f16", or "e4m3", which is a
#   byte as well (0.96). (Inner products over int8 were reported in 2024: the project's issue 405, closed.)
# Usage: findings/usearch-int8-is-cosine.sh   (a temporary environment of about 80 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet usearch==2.26.6 numpy==2.4.6
cat > "$folder/lengths.py" <<'PY'
import sys

import numpy as np
from usearch.index import Index

USERS, ITEMS, WIDE, LISTED = 200, 5_000, 64, 10
random = np.random.default_rng(0)
directions = random.normal(size=(ITEMS, WIDE)).astype(np.float32)
directions /= np.linalg.norm(directions, axis=1, keepdims=True)
items = directions * random.lognormal(0, 0.5, size=(ITEMS, 1)).astype(np.float32)
users = random.normal(size=(USERS, WIDE)).astype(np.float32)
wanted = {
    "ip": np.argsort(-(users @ items.T), axis=1)[:, :LISTED],
    "cos": np.argsort(-(users @ directions.T), axis=1)[:, :LISTED],
    "l2sq": np.argsort((items**2).sum(1) - 2 * users @ items.T, axis=1)[:, :LISTED],
}
in_int8 = [np.rint(of * 127 / np.abs(of).max()).astype(np.int8) for of in (items, users)]


def found(metric, dtype, stored=items, asked=users, exact=True):
    """Return the shares of the largest products, of the largest cosines and of the nearest items that an index lists."""
    index = Index(ndim=WIDE, metric=metric, dtype=dtype)
    index.add(np.arange(ITEMS), stored)
    listed = index.search(asked, LISTED, exact=exact).keys
    return [float(np.mean([len(np.intersect1d(*pair)) / LISTED for pair in zip(listed, of, strict=True)])) for of in wanted.values()]


same = True


def tell(name, shares, kept):
    """Print what an index lists, and compare with what was stated: the metric that was asked for is kept, or it is the cosine."""
    global same
    product, cosine, near = shares
    print(f"{name}: {product:.3f} of the largest products, {cosine:.3f} of the largest cosines, {near:.3f} of the nearest")
    same &= (product > 0.9 and cosine < 0.2) if kept else (product < 0.2 and cosine > 0.8)


for dtype in ("f32", "f16", "e4m3"):
    tell(f'metric="ip", dtype="{dtype}"', found("ip", dtype), kept=True)
tell('metric="ip", dtype="i8"', found("ip", "i8"), kept=False)
tell('metric="ip", dtype="i8", in a graph', found("ip", "i8", exact=False), kept=False)
tell('metric="l2sq", dtype="i8"', found("l2sq", "i8"), kept=False)
tell('metric="ip", dtype="i8", rounded beforehand with one scale', found("ip", "i8", *in_int8), kept=True)
same &= found("l2sq", "f32")[2] > 0.99 and found("l2sq", "i8")[2] < 0.6
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/lengths.py"
