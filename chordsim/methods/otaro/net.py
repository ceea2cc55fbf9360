"""Shared-exponent floating point (OTARo): a lower width drops mantissa bits; and a recommender that trains for all widths."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from chordsim.methods import MethodContext
from chordsim.nets import backbone
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows

#: Widths at which gradients are applied late, and how fast scores forget.
LOW_BITS, FORGET = 3, 0.9
GROUP = 64
WIDEST = 8
#: The smallest exponent that is stored; smaller groups are zero.
_LEAST = -126


def groups(fan_in: int) -> int:
    """Return how many groups one channel has."""
    return -(-fan_in // GROUP)


def encode(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return 8-bit mantissas [C, K] and one exponent per group [C, groups(K)], int8 both.

    With E the largest exponent in the group, the mantissa is w / 2^(E - 6) without its fraction: sign and 7 bits.
    """
    padded = torch.nn.functional.pad(weights.detach(), (0, -weights.shape[1] % GROUP))
    grouped = padded.view(weights.shape[0], -1, GROUP)
    _, exponent = torch.frexp(grouped.abs().amax(-1))
    exponent = torch.where(grouped.abs().amax(-1) > 0, exponent - 1, _LEAST).clamp(_LEAST, 126)
    scale = torch.ldexp(torch.ones_like(exponent, dtype=torch.float32), exponent - (WIDEST - 2))
    mantissa = torch.trunc(grouped / scale.unsqueeze(-1)).clamp(-127, 127)
    return mantissa.view(weights.shape[0], -1)[:, : weights.shape[1]].to(torch.int8), exponent.to(torch.int8)


def decode(mantissas: Tensor, exponents: Tensor, bits: int) -> Tensor:
    """Return float weights [C, K] at ``bits`` bits (2 to 8): the sign and the highest bits - 1 bits of each mantissa."""
    drop = WIDEST - bits
    values = mantissas.to(torch.int32)
    kept = (values.abs() >> drop) * values.sign()
    exponent = exponents.to(torch.int32).repeat_interleave(GROUP, 1)[:, : mantissas.shape[1]]
    return kept.float() * torch.ldexp(torch.ones_like(kept, dtype=torch.float32), exponent - (bits - 2))


def truncate(weights: Tensor, bits: int) -> Tensor:
    """Return ``weights`` as a phone computes with them at ``bits`` bits."""
    return decode(*encode(weights), bits)


class Otaro(Dense):
    """A recommender whose weights are truncated to a width that a bandit chooses for every step."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        s = context.settings
        self.widths, self.late = [int(w) for w in s["widths"]], int(s["late"])
        self.explore, self.floor = float(s["explore"]), float(s["floor"])
        self.tries, self.scores, self.usual = ([zero] * len(self.widths) for zero in (0, 0.0, 0.0))
        self.arm, self.low_steps, self.norm = 0, 0, 0.0
        self.waiting: dict[int, Tensor] = {}
        #: The width of all users while one width is looked at; None: a share of them at each.
        self.held: int | None = None
        #: Scores this model as validation does; set by who has the logs.
        self.score: Callable[[Otaro], float] | None = None
        for n, parameter in enumerate(self.parameters()):
            parameter.register_post_accumulate_grad_hook(lambda p, n=n: self._arrived(n, p))  # type: ignore[no-untyped-call]

    def choose(self) -> int:
        """Return the next step's width: each once, then the best of score plus upper confidence term, and none below its floor.

        A score is the recent norm of a width's gradients as a share of what is usual for that width (inference): norms grow as
        widths fall, and taken as they are they send nearly all steps to the lowest one.
        """
        if self.tries[self.arm]:
            # The norm of the step before is complete only now.
            norm, tries = math.sqrt(self.norm), self.tries[self.arm]
            self.usual[self.arm] += (norm - self.usual[self.arm]) / tries
            self.scores[self.arm] = norm if tries == 1 else FORGET * self.scores[self.arm] + (1 - FORGET) * norm
        self.norm, total = 0.0, sum(self.tries)
        starved = min(range(len(self.tries)), key=lambda n: self.tries[n])
        if self.tries[starved] < self.floor * total / len(self.tries):
            self.arm = starved
        else:
            worth = [
                math.inf if not n else s / max(u, 1e-12) + self.explore * math.sqrt(2 * math.log(total) / n)
                for n, s, u in zip(self.tries, self.scores, self.usual, strict=True)
            ]
            self.arm = worth.index(max(worth))
        self.tries[self.arm] += 1
        self.low_steps += self.widths[self.arm] <= LOW_BITS
        return self.widths[self.arm]

    def _arrived(self, number: int, weight: nn.Parameter) -> None:
        """Hold gradients of low widths back until enough have come; the optimiser skips a parameter without one."""
        assert weight.grad is not None
        if weight is not self.item and weight is not self.position:
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

    def watched(self) -> dict[str, Tensor]:
        """Return how many steps each width has had so far, and the validation of all users at each."""
        told = {f"steps_at_{bits}_bits": torch.tensor(float(n)) for bits, n in zip(self.widths, self.tries, strict=True)}
        if self.score is None:
            return told
        for bits in self.widths:
            self.held = bits
            told[f"validation_at_{bits}_bits"] = torch.tensor(self.score(self), dtype=torch.float64)
        self.held = None
        return told

    def between_steps(self) -> dict[str, Tensor]:
        """Return the bandit's books and the gradients that wait."""
        books = {"tries": torch.tensor(self.tries), "place": torch.tensor([self.arm, self.low_steps])}
        books |= {name: torch.tensor(getattr(self, name), dtype=torch.float64) for name in ("scores", "usual")}
        books |= {"norm": torch.tensor(self.norm, dtype=torch.float64)}
        return books | {f"waiting.{n}": held for n, held in self.waiting.items()}

    def go_on(self, kept: dict[str, Tensor]) -> None:
        """Put them back."""
        self.tries, self.scores, self.usual = (kept[name].tolist() for name in ("tries", "scores", "usual"))
        self.norm = float(kept["norm"])
        self.arm, self.low_steps = kept["place"].tolist()
        self.waiting = {int(name.removeprefix("waiting.")): held for name, held in kept.items() if name.startswith("waiting.")}

    def truncated(self, bits: int) -> list[Tensor]:
        """Return the weights at a width; gradients pass straight through."""
        return [truncate(w, bits) + (w - w.detach()) for w in self.weights]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d] at the chosen width."""
        return self.run(windows.inputs, self.truncated(self.choose()), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d], a share of the rows at each width, so that selection sees them all."""
        config = self.shapes.backbone
        states = backbone.embed(items, self.item_as_shipped(), self.position, config)
        if self.held is not None:
            return backbone.forward(items, states, self.truncated(self.held), config)
        at = torch.arange(items.shape[0]) % len(self.widths)
        every = [backbone.forward(items, states, self.truncated(b), config) for b in self.widths]
        return torch.stack(every)[at, torch.arange(items.shape[0])]
