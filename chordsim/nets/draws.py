"""Initial values of networks, drawn from one generator so that training is a function of the seed."""

from __future__ import annotations

import torch
from torch import nn

HEAD_STD = 0.02


def draw_parameters(module: nn.Module, generator: torch.Generator) -> None:
    """Draw matrices from N(0, 1 / fan-in), small where the name ends in ``head.weight``; vectors start at zero."""
    for name, parameter in module.named_parameters():
        if parameter.ndim < 2:
            nn.init.zeros_(parameter)
        else:
            std = HEAD_STD if name.endswith("head.weight") else parameter.shape[1] ** -0.5
            nn.init.normal_(parameter, std=std, generator=generator)
