"""A small app in the style of Flower's PyTorch quickstart: a linear model, and data that each partition makes by its number."""

from __future__ import annotations

import random

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

FEATURES, CLASSES, EXAMPLES = 8, 3, 24

app = ClientApp()


def model() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(FEATURES, CLASSES)


def data(partition: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1000 + partition)
    x = torch.randn((EXAMPLES, FEATURES), generator=draw)
    true = torch.randn((CLASSES, FEATURES), generator=torch.Generator().manual_seed(7))
    return x, (x @ true.T).argmax(1)


@app.train()
def train(message: Message, context: Context) -> Message:
    net = model()
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    x, y = data(int(context.node_config["partition-id"]))
    optimizer = torch.optim.SGD(net.parameters(), lr=message.content["config"]["lr"])
    for _ in range(3):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    metrics = MetricRecord({"train_loss": loss.item(), "num-examples": len(x)})
    return Message(RecordDict({"arrays": ArrayRecord(net.state_dict()), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    net = model()
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    x, y = data(int(context.node_config["partition-id"]))
    with torch.no_grad():
        right = (net(x).argmax(1) == y).float().mean().item()
    return Message(RecordDict({"metrics": MetricRecord({"eval_acc": right, "num-examples": len(x)})}), reply_to=message)


def play(grid: Grid, rounds: int = 2, strategy: FedAvg | None = None, **kwargs: object) -> dict[str, torch.Tensor]:
    """Run the server side; return the final weights."""
    random.seed(3)
    chosen = strategy or FedAvg(fraction_train=1.0, fraction_evaluate=1.0)
    arrays = ArrayRecord(model().state_dict())
    result = chosen.start(grid=grid, initial_arrays=arrays, train_config=ConfigRecord({"lr": 0.1}), num_rounds=rounds, **kwargs)
    return result.arrays.to_torch_state_dict()


def server(result: dict[str, object], wrap: object = None, rounds: int = 2) -> ServerApp:
    """Return a ServerApp that puts its final weights into ``result``."""
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        result["weights"] = play(wrap(grid) if wrap else grid, rounds)

    return server_app
