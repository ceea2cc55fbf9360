#!/usr/bin/env bash
# Flower's strategies send a model back in other types than it came in: two float32 models in float64, any int8 model in float64.
#
# Versions: flwr 1.41.0, numpy 2.4.6, Python 3.11.
# Expected: what clients send as float32 or int8 comes back as that, so that a round's messages are as large down as up.
# Seen: after one round FedAdam and QFedAvg send float64 for float32, twice the bytes, while FedAdam's siblings FedAdagrad and FedYogi
#   keep it; where methods are compared by bytes, that is a factor of 1.5 in both directions together. int8 and bool become float64
#   with every strategy, Krum and its kin too, though they choose a client's model: 1,000 levels go up in 1,128 bytes and come down in 8,128, so
#   a model quantized on its clients costs more than float32 would. QFedAvg raises for them.
# Usage: findings/flower-strategies-widen.sh   (a temporary environment of about 250 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet flwr==1.41.0 numpy==2.4.6
cat > "$folder/rounds.py" <<'PY'
import logging
import sys

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import strategy as strategies
from flwr.supercore.task_identity import TaskIdentity

logging.disable(logging.CRITICAL)
TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
SETTINGS = {
    "FedAvg": {},
    "FedAvgM": {"server_momentum": 0.9},
    "FedProx": {"proximal_mu": 0.1},
    "FedMedian": {},
    "FedTrimmedAvg": {},
    "Krum": {"num_malicious_nodes": 1},
    "MultiKrum": {"num_malicious_nodes": 1, "num_nodes_to_select": 4},
    "Bulyan": {"num_malicious_nodes": 1},
    "FedAdagrad": {},
    "FedAdam": {},
    "FedYogi": {},
    "QFedAvg": {"client_learning_rate": 0.1, "q": 0.1},
}
TYPES = ("float32", "float16", "int8", "bool")


class Eight:
    def get_node_ids(self):
        return range(1, 9)


def types_sent(name, kind):
    """Return the type of what two rounds send down, and the bytes of the second."""
    random = np.random.default_rng(1)
    strategy = getattr(strategies, name)(fraction_train=1.0, **SETTINGS[name])
    arrays = ArrayRecord({"w": Array(np.zeros(1000, kind))})
    strategy.current_arrays = arrays
    seen = []
    for number in (1, 2):
        asked = list(strategy.configure_train(number, arrays, ConfigRecord(), Eight()))
        (down,) = asked[0].content.array_records.values()
        seen.append(down["w"].numpy().dtype.name)
        told = MetricRecord({"num-examples": 7, "train_loss": 1.0})
        replies = []
        for message in asked:
            made = random.integers(0, 2, 1000) if kind in ("int8", "bool") else random.normal(size=1000) / 10
            up = ArrayRecord({"w": Array(made.astype(kind))})
            replies.append(Message(RecordDict({"arrays": up, "metrics": told}), reply_to=message))
        arrays, _ = strategy.aggregate_train(number, replies)
    return seen[1], len(down["w"].data)


same = True
for name in SETTINGS:
    cells = []
    for kind in TYPES:
        try:
            back, size = types_sent(name, kind)
            cells.append(f"{kind} -> {back}, {size:,} bytes")
        except TypeError:
            back = "raises"
            cells.append(f"{kind} raises")
        whole = kind in ("int8", "bool")
        expected = "raises" if whole and name == "QFedAvg" else "float64" if whole or name in ("FedAdam", "QFedAvg") else kind
        same &= back == expected
    print(f"{name}: " + "; ".join(cells))
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
FLWR_TELEMETRY_ENABLED=0 FLWR_HOME="$folder/home" "$folder/env/bin/python" "$folder/rounds.py"
