"""Cloud half of `otaro`: train one set of weights for every width, ship 8-bit mantissas and shared exponents."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob, MethodContext
from chordsim.methods.otaro import net as sefp
from chordsim.nets import backbone, blobs, embeddings
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.progress import Progress
from server.half import Trained
from server.training import dense

#: Widths at which gradients are applied late, how fast scores forget, and how much exploration counts.
LOW_BITS, FORGET, EXPLORE = 3, 0.9, 0.5


class Otaro(Dense):
    """A recommender whose weights are truncated to a width that a bandit chooses for every step."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        self.widths, self.late = [int(w) for w in context.settings["widths"]], int(context.settings["late"])
        self.tries, self.scores = [0] * len(self.widths), [0.0] * len(self.widths)
        self.arm, self.low_steps, self.norm = 0, 0, 0.0
        self.waiting: dict[int, Tensor] = {}
        for n, weight in enumerate(self.weights):
            weight.register_post_accumulate_grad_hook(lambda p, n=n: self._arrived(n, p))

    def choose(self) -> int:
        """Return the next step's width: each once, then the best of gradient norm plus upper confidence term."""
        if self.tries[self.arm]:
            # The norm of the step before is complete only now.
            self.scores[self.arm] = FORGET * self.scores[self.arm] + (1 - FORGET) * math.sqrt(self.norm)
        self.norm, total = 0.0, sum(self.tries)
        top = max(max(self.scores), 1e-12)
        worth = [
            math.inf if not n else s / top + EXPLORE * math.sqrt(2 * math.log(total) / n)
            for n, s in zip(self.tries, self.scores, strict=True)
        ]
        self.arm = worth.index(max(worth))
        self.tries[self.arm] += 1
        self.low_steps += self.widths[self.arm] <= LOW_BITS
        return self.widths[self.arm]

    def _arrived(self, number: int, weight: nn.Parameter) -> None:
        """Hold gradients of low widths back until enough have come; the optimiser skips a weight without one."""
        assert weight.grad is not None
        self.norm += float(weight.grad.square().sum())
        if self.widths[self.arm] > LOW_BITS:
            return
        held = self.waiting.get(number)
        held = weight.grad.clone() if held is None else held + weight.grad
        ready = self.low_steps % self.late == 0
        weight.grad = held / self.late if ready else None
        if ready:
            self.waiting.pop(number, None)
        else:
            self.waiting[number] = held

    def truncated(self, bits: int) -> list[Tensor]:
        """Return the weights at a width; gradients pass straight through."""
        return [sefp.truncate(w, bits) + (w - w.detach()) for w in self.weights]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d] at the chosen width."""
        return self.run(windows.inputs, self.truncated(self.choose()), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d], a share of the rows at each width, so that selection sees them all."""
        config = self.shapes.backbone
        states = backbone.embed(items, self.item_as_shipped(), self.position, config)
        at = torch.arange(items.shape[0]) % len(self.widths)
        every = [backbone.forward(items, states, self.truncated(b), config) for b in self.widths]
        return torch.stack(every)[at, torch.arange(items.shape[0])]


class OtaroCloud(Trained):
    """Ships one model."""

    def network(self) -> Otaro:
        """Return the untrained network."""
        return Otaro(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> None:
        """Start from the trained reference."""
        network.load_state_dict(self.reference(logs, progress), strict=False)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings, mantissas and exponents."""
        table = embeddings.encode(state["item"], self.context.backbone.embedding_bits, "item")
        stored = {"position": state["position"]}
        for n, weight in enumerate(dense.weights(self.shapes, state)):
            stored[f"mantissa.{n}"], stored[f"exponent.{n}"] = sefp.encode(weight)
        return [Blob("embeddings", blobs.save(table)), Blob("weights", blobs.save(stored))]
