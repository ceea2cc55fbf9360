"""quickstart: the model, the data of a partition, and how to train and test."""

import torch
from torch import nn

FEATURES, CLASSES, EXAMPLES = 16, 4, 64
#: Of one example, forward and backward: what the app tells its phones that it takes.
MACS_PER_EXAMPLE = 3 * (FEATURES * 32 + 32 * CLASSES)
PEAK_BYTES = 200_000


class Net(nn.Module):
    """A small model."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, CLASSES))

    def forward(self, x):
        return self.layers(x)


def load_data(partition_id):
    """Return a partition's examples: made up here, FederatedDataset in yours."""
    draw = torch.Generator().manual_seed(100 + partition_id)
    true = torch.randn((CLASSES, FEATURES), generator=torch.Generator().manual_seed(1))
    x = torch.randn((EXAMPLES, FEATURES), generator=draw)
    return x, (x @ true.T).argmax(1)


def train(net, x, y, epochs, lr):
    """Train the model and return its last loss."""
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    for _ in range(epochs):
        for batch, labels in zip(x.split(16), y.split(16), strict=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(batch), labels)
            loss.backward()
            optimizer.step()
    return loss.item()


def test(net, x, y):
    """Return the loss and the share that is right."""
    with torch.no_grad():
        out = net(x)
    return nn.functional.cross_entropy(out, y).item(), (out.argmax(1) == y).float().mean().item()
