"""AdamW (Loshchilov and Hutter 2019) as plain arithmetic: torch's steps, bit for bit, without what torch loads to make its optimiser.

Making an optimiser of `torch.optim` imports torch's compiler, which takes as long as torch itself, in every run and forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

EPSILON = 1e-8


class AdamW:
    """Steps with rates that follow each parameter's gradients; weights decay apart from them.

    Attributes:
        param_groups: Parameters (``params``) and their rate (``lr``), which may be changed between steps.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.0) -> None:
        """Start from no moments.

        Args:
            groups: Each with ``params`` and ``lr``.
            betas: What a step keeps of the mean gradient and of its mean square.
            weight_decay: What a step takes off weights, times the rate.
        """
        self.param_groups = [{**group, "params": list(group["params"])} for group in groups]
        self._betas, self._decay = betas, weight_decay
        self._all: list[nn.Parameter] = [p for group in self.param_groups for p in group["params"]]
        self._moments: dict[int, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._all:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        keeps, keeps_square = self._betas
        index = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                index += 1
                if parameter.grad is None:
                    continue
                moments = self._moments_of(index - 1)
                moments["step"] += 1
                count, mean, square = float(moments["step"]), moments["exp_avg"], moments["exp_avg_sq"]
                if self._decay:
                    parameter.mul_(1 - group["lr"] * self._decay)
                mean.lerp_(parameter.grad, 1 - keeps)
                square.mul_(keeps_square).addcmul_(parameter.grad, parameter.grad, value=1 - keeps_square)
                size = (square.sqrt() / (1 - keeps_square**count) ** 0.5).add_(EPSILON)
                parameter.addcdiv_(mean, size, value=-(group["lr"] / (1 - keeps**count)))

    def moments(self) -> dict[int, dict[str, Tensor]]:
        """Return what `go_on` needs, by the parameter's place: how many steps it took, and its moments."""
        return self._moments

    def go_on(self, moments: dict[int, dict[str, Tensor]]) -> None:
        """Go on from there."""
        self._moments = {index: dict(kept) for index, kept in moments.items()}

    def _moments_of(self, index: int) -> dict[str, Tensor]:
        if index not in self._moments:
            like = self._all[index]
            self._moments[index] = {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(like), "exp_avg_sq": torch.zeros_like(like)}
        return self._moments[index]
