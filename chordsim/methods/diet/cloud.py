"""Cloud half of `diet`: hypernetworks score every weight for a user, filter importances correct, a mask goes down."""

from __future__ import annotations

import json
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.arrays import State
from chordsim.methods import Batch, Blob, CloudTurn, Leg, MethodContext
from chordsim.methods.diet import net as diet
from chordsim.nets import blobs, embeddings, extractor
from chordsim.nets.backbone import last_states
from chordsim.nets.draws import draw_parameters
from chordsim.nets.frozen import draw, fingerprint
from chordsim.nets.recommender import Recommender
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.ragged import Ragged
from chordsim.wire.floats import unpack_floats
from server.half import Trained, answer

RANK = 4


class Generator(nn.Module):
    """From user embeddings to corrected element scores of every layer."""

    def __init__(self, shapes: Shapes, width: int) -> None:
        super().__init__()
        self.layers = shapes.layers
        self.base = nn.ParameterList(torch.empty(n.channels, n.fan_in) for n in self.layers)
        self.rows = nn.ModuleList(nn.Linear(width, n.channels * RANK) for n in self.layers)
        self.columns = nn.ModuleList(nn.Linear(width, n.fan_in * RANK) for n in self.layers)
        self.filters = nn.ModuleDict({str(n): _head(width, layer.channels) for n, layer in enumerate(self.layers)})
        self.sources = diet.sources(self.layers)

    def forward(self, user: Tensor) -> list[Tensor]:
        """Return scores [D, C, K] per layer for users [D, width]."""
        importance = [F.softplus(self.filters[str(n)](user)) for n in range(len(self.layers))]
        out = []
        for n, (layer, base) in enumerate(zip(self.layers, self.base, strict=True)):
            left = self.rows[n](user).view(-1, layer.channels, RANK)
            right = self.columns[n](user).view(-1, layer.fan_in, RANK)
            score = torch.sigmoid(base + left @ right.transpose(1, 2)) * importance[n][:, :, None]
            source = self.sources[n]
            out.append(score if source is None else score * importance[source][:, None, :])
        return out

    def macs(self) -> int:
        """Multiply-accumulates of one mask."""
        heads = sum(p.numel() for name, p in self.named_parameters() if name.endswith("weight"))
        return heads + sum(n.channels * n.fan_in for n in self.layers) * (RANK + 2)


def _head(width: int, count: int) -> nn.Sequential:
    made = nn.Sequential()
    made.add_module("head", nn.Linear(width, count))
    return made


class Diet(Recommender):
    """The frozen backbone under masks that a generator makes from what came before the targets."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed, "train.diet.init")
        s = context.settings
        self.horizon, self.keep = int(s["horizon"]), float(s["keep"])
        self.frozen = draw(shapes.layers, context.seed)
        self.extractor = extractor.build(s["extractor"], shapes.backbone.dim, int(s["profile_dim"]))
        self.generator_net = Generator(shapes, int(s["profile_dim"]))
        draw_parameters(self.extractor, self.generator)
        draw_parameters(self.generator_net, self.generator)

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, object]]:
        """Return embeddings and extractor at one rate, hypernetworks at the other."""
        slow = [self.item, self.position, *self.extractor.parameters()]
        return [{"params": slow, "lr": lr}, {"params": list(self.generator_net.parameters()), "lr": plan_lr}]

    def masks(self, user: Tensor) -> list[Tensor]:
        """Return each user's masks [D, C, K], exactly 0 or 1; gradients pass to the scores."""
        scores = self.generator_net(user)
        return [diet.top(score.detach(), self.keep) + (score - score.detach()) for score in scores]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; masks come from `windows.history` alone."""
        user = self.extractor(windows.history, self.item)
        return self.run(windows.inputs, diet.masked(self.frozen, self.masks(user), self.keep), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's own mask."""
        shipped = self.item_as_shipped()
        weights = diet.masked(self.frozen, self.masks(self.extractor(items, shipped)), self.keep)
        return last_states(items, shipped, self.position, weights, self.shapes.backbone)


class DietCloud(Trained):
    """Reads a user embedding, answers with one bit per weight."""

    def network(self) -> Diet:
        """Return the untrained network."""
        return Diet(self.shapes, self.context)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the backbone's seed and fingerprint, embeddings and extractor."""
        c = self.context
        backbone = {"seed": c.seed, "sha256": fingerprint(self.restored(state).frozen)}
        table = embeddings.encode(state["item"], c.backbone.embedding_bits, "item") | {"position": state["position"]}
        reader = {k.removeprefix("extractor."): v for k, v in state.items() if k.startswith("extractor.")}
        return [
            Blob("backbone", json.dumps(backbone, sort_keys=True).encode()),
            Blob("embeddings", blobs.save(table)),
            Blob("extractor", blobs.save(reader)),
        ]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn profiles into masks."""
        user, sound = unpack_floats(inbox, int(self.context.settings["profile_dim"]))
        model: Any = self.restored(state)
        with torch.inference_mode():
            payload = diet.pack(model.masks(torch.from_numpy(user)))
        return answer(who, payload, sound, model.generator_net.macs())
