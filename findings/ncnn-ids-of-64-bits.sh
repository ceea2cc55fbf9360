#!/usr/bin/env bash
# ncnn reads a history of int64, which numpy and torch make by default, as ids of 32 bits: its first half, with padding between the items.
#
# Versions: ncnn 1.0.20261020, numpy 2.4.6, Python 3.11.
# Expected: ncnn.Mat(history) of item ids is those ids, whatever their width, or it raises, as MNN 3.6.1 does for int64 where a model wants
#   32 bits.
# Seen: every call says 0, success. The Mat has the right length and elements of 8 bytes, and Embed reads so many of 4: of 5, 7, 9, 11, 13 it
#   looks up 5, 0, 7, 0, 9. Half of a history is gone, the later half, which matters most to a sequential model; item 0, often padding,
#   stands at every second place; no row is out of range, so scores look like scores. Of 500 users whose last ten items of twenty are like
#   the next one, 85 % have that among the first ten of 1,000 items by int32, 1.2 % by int64, hardly more than by chance. float32 ids are
#   read by their bits and all become the last item of the table. (The README's "numpy.array->ncnn.Mat" says nothing of types; its
#   issue 5880 tells of constants of int64.)
# Remedy: `ncnn.Mat(np.ascontiguousarray(history, dtype=np.int32))`, as the script that pnnx writes has it. chordsim exports to ExecuTorch
#   and ONNX Runtime only.
# Usage: findings/ncnn-ids-of-64-bits.sh   (a temporary environment of about 250 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet ncnn==1.0.20261020 numpy==2.4.6
cat > "$folder/ids.py" <<'PY'
import os
import sys

import ncnn
import numpy as np

os.chdir(sys.argv[1])
USERS, ITEMS, WIDE, LONG, K = 500, 1_000, 32, 20, 10
random = np.random.default_rng(1)
table = random.normal(size=(ITEMS, WIDE)).astype(np.float32)
table[0] = 0  # padding
LAYERS = {  # rows of the table for a history, and scores of all items by the mean of its rows
    "rows": f"""7767517
2 2
Input ids 0 1 ids
Embed rows 1 1 ids out 0={WIDE} 1={ITEMS} 2=0 3={ITEMS * WIDE}
""",
    "scores": f"""7767517
4 4
Input ids 0 1 ids
Embed rows 1 1 ids rows 0={WIDE} 1={ITEMS} 2=0 3={ITEMS * WIDE}
Reduction mean 1 1 rows user 0=3 1=0 -23303=1,0 4=0 5=1
InnerProduct product 1 1 user out 0={ITEMS} 1=0 2={ITEMS * WIDE}
""",
}
models = {}
for name, layers in LAYERS.items():
    with open("model.param", "w") as file:
        file.write(layers)
    with open("model.bin", "wb") as file:
        file.write((bytes(4) + table.tobytes()) * layers.count(f"={ITEMS * WIDE}"))  # 4 bytes of zero: float32 follows
    models[name] = ncnn.Net()
    assert models[name].load_param("model.param") == models[name].load_model("model.bin") == 0


def on_phone(name, array):
    extractor = models[name].create_extractor()
    assert extractor.input("ids", ncnn.Mat(array)) == 0
    code, out = extractor.extract("out")
    assert code == 0
    return out.numpy().copy()


def looked_up(array):
    """Return the items whose rows a model sees for a history."""
    return [int(((table - row) ** 2).sum(1).argmin()) for row in on_phone("rows", array)]


short = np.array([5, 7, 9, 11, 13])
assert short.dtype == np.int64
stated = {np.int32: [5, 7, 9, 11, 13], np.int64: [5, 0, 7, 0, 9], np.float32: [ITEMS - 1] * 5}
same = True
for kind, items in stated.items():
    found = looked_up(short.astype(kind))
    print(f"{short.tolist()} as {kind.__name__}: rows of {found}")
    same &= found == items
hits = {np.int32: 0, np.int64: 0}
for _ in range(USERS):
    target = random.integers(1, ITEMS)
    alike = np.argsort(-table @ table[target])[1:101]
    history = np.concatenate([random.integers(1, ITEMS, LONG // 2), random.choice(alike[alike > 0], LONG // 2)])
    for kind in hits:
        scores = on_phone("scores", history.astype(kind))
        hits[kind] += int((scores > scores[target]).sum() < K)
for kind, count in hits.items():
    print(f"hit rate at {K} of {ITEMS} items, histories of {LONG} as {kind.__name__}: {count / USERS:.3f}")
same &= hits[np.int32] > 0.7 * USERS and hits[np.int64] < 0.1 * USERS
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/ids.py" "$folder"
