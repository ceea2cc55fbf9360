"""The app that is measured: a small network, uneven data that each partition makes by its number, FedProx's term where it is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import Tensor, nn

FEATURES, HIDDEN, CLASSES, EXAMPLES, EPOCHS = 16, 32, 4, 32, 3
MACS_PER_EXAMPLE = 3 * (FEATURES * HIDDEN + HIDDEN * CLASSES)
PEAK_BYTES = 200_000
#: Who trains answers what it took on this host, in seconds.
APP_S = "app_s"

app = ClientApp()


def model(seed: int = 0) -> nn.Sequential:
    """Return the network with the weights of a seed, and leave the global generator as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def data(partition: int, examples: int = EXAMPLES) -> tuple[Tensor, Tensor]:
    """Return a partition's examples; each phone sees its own corner of the inputs, so that labels are uneven."""
    draw = torch.Generator().manual_seed(1000 + partition)
    true = torch.randn((CLASSES, FEATURES), generator=torch.Generator().manual_seed(7))
    corner = torch.randn((1, FEATURES), generator=draw)
    x = torch.randn((examples, FEATURES), generator=draw) + corner
    return x, (x @ true.T).argmax(1)


def everybody(partitions: range) -> tuple[Tensor, Tensor]:
    """Return the examples of many partitions, those that no phone trains on among them."""
    parts = [data(partition) for partition in partitions]
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def accuracy(arrays: ArrayRecord, held_out: tuple[Tensor, Tensor]) -> float:
    """Return the share that a model gets right."""
    net = model()
    net.load_state_dict(arrays.to_torch_state_dict())
    with torch.no_grad():
        return float((net(held_out[0]).argmax(1) == held_out[1]).float().mean())


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the partition's own examples."""
    began = time.thread_time()
    net = model()
    net.load_state_dict(message.content.array_records["arrays"].to_torch_state_dict())
    shared = [weights.detach().clone() for weights in net.parameters()]
    config = message.content.config_records["config"]
    proximal = float(config.get("proximal-mu", 0.0))  # type: ignore[arg-type]
    x, y = data(int(context.node_config["partition-id"]))
    optimizer = torch.optim.SGD(net.parameters(), lr=float(config["lr"]))  # type: ignore[arg-type]
    for batch, labels in _batches(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(batch), labels)
        if proximal:
            loss = loss + proximal / 2 * torch.stack([((w - s) ** 2).sum() for w, s in zip(net.parameters(), shared, strict=True)]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    metrics = MetricRecord({"num-examples": len(x), APP_S: time.thread_time() - began})
    return Message(RecordDict({"arrays": ArrayRecord(net.state_dict()), "metrics": metrics}), reply_to=message)


def _batches(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(EPOCHS):
        yield from zip(torch.split(x, 16), torch.split(y, 16), strict=True)


def arrays_of(seed: int = 0) -> ArrayRecord:
    """Return the first weights."""
    return ArrayRecord(model(seed).state_dict())


def train_config() -> ConfigRecord:
    """Return what every phone is told."""
    return ConfigRecord({"lr": 0.1})
