#!/usr/bin/env bash
# Flower Datasets' IidPartitioner takes rows in their order: of a dataset sorted by label every phone gets one label.
#
# Versions: flwr-datasets 0.6.1, datasets 4.8.5, numpy 2.4.6, Python 3.11.
# Expected: "Partitioner creates each partition sampled randomly from the dataset": ten partitions of 10,000 rows of ten labels hold each
#   label about 100 times.
# Seen: partition n is the n-th slice, `shard(contiguous=True)`. Of a dataset of one's own, given by `partitioner.dataset = ...`, each
#   holds 1,000 rows of one label: as far from independent and identical as can be, under that name. FederatedDataset shuffles all rows
#   before it partitions (seed 42), so there it samples.
# Remedy: `dataset.shuffle(seed=...)` before an IidPartitioner; chordsim.flower.partitions does. (Flower's issue 7327.)
# Usage: findings/flower-iid-in-order.sh   (a temporary environment of about 550 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet flwr-datasets==0.6.1 datasets==4.8.5 numpy==2.4.6
cat > "$folder/slices.py" <<'PY'
import collections
import sys

from datasets import Dataset
from flwr_datasets.partitioner import IidPartitioner

ROWS, LABELS = 10_000, 10
sorted_rows = Dataset.from_dict({"label": [row * LABELS // ROWS for row in range(ROWS)]})


def most_of_one_label(dataset):
    """Return the share of the commonest label, the mean over partitions."""
    partitioner = IidPartitioner(num_partitions=LABELS)
    partitioner.dataset = dataset
    parts = [partitioner.load_partition(number)["label"] for number in range(LABELS)]
    return sum(collections.Counter(part).most_common(1)[0][1] / len(part) for part in parts) / LABELS


here, shuffled = most_of_one_label(sorted_rows), most_of_one_label(sorted_rows.shuffle(seed=42))
print(f"share of the commonest label in a partition: {here:.3f}; of rows that were shuffled before, {shuffled:.3f}; of ten labels 0.1")
same = here == 1 and 0.1 <= shuffled < 0.15
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
HF_HOME="$folder/home" "$folder/env/bin/python" "$folder/slices.py"
