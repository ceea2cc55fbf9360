"""Products of whole numbers: weights of 8-bit levels times activations of 8 bits into 32 bits, exact in any order of sums.

Two machines would then agree in every product, whatever their instructions; layer norm, softmax and the scores, which stay float32,
could still differ. What it costs in accuracy and gains in speed, beside float32 products of the same weights, for a model that all
phones share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.config.model import BackboneConfig
from chordsim.nets import backbone
from chordsim.nets.choice import Choice, Weight
from chordsim.quant.quantizer import levels_and_scales

_ITEMS, _PHONES, _MOST = 3416, 256, 127


@dataclass(frozen=True)
class Levels(Choice):
    """One layer of 8-bit levels [C, K], whose product quantizes what comes in, row by row.

    Attributes:
        levels: int8, [K, C].
        scales: Of each channel, [C].
    """

    levels: Tensor = torch.zeros(0)
    scales: Tensor = torch.zeros(0)

    @classmethod
    def of(cls, weight: Tensor) -> Levels:
        """Return weights [C, K] as levels."""
        levels, scales = levels_and_scales(weight, 8)
        return cls(torch.zeros(0), torch.zeros(0), None, levels.T.contiguous(), scales[:, 0])

    @property
    def weight(self) -> Tensor:
        """The weights that the levels stand for, [C, K]."""
        return self.levels.T.float() * self.scales[:, None]

    def product(self, x: Tensor) -> Tensor:
        """Return x [D, n, K] times the weights, [D, n, C], summed as whole numbers."""
        rows = x.reshape(-1, x.shape[-1])
        step = rows.abs().amax(1, keepdim=True).clamp_min(1e-30) / _MOST
        whole = torch.round(rows / step).to(torch.int8)
        # A product of two 8-bit numbers is below 2^14, so 2^17 of them stay exact in 32 bits.
        return (torch._int_mm(whole, self.levels) * (step * self.scales)).view(*x.shape[:-1], -1)


def table(repeats: int) -> int:
    """Print what whole numbers cost and gain, processor time of one thread."""
    print("| shape | ranks equal | by up to | float32, µs a phone | whole numbers, µs a phone | times faster |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for width in (64, 128, 256):
        name, config = f"width {width}", BackboneConfig(dim=width, ffn_dim=width)
        given, whole, plain = case(config)
        with torch.inference_mode():
            moved = (ranks(given[1], states(given, whole, config)) - ranks(given[1], states(given, plain, config))).abs()
            times = [(_seconds(states, given, plain, config), _seconds(states, given, whole, config)) for _ in range(repeats)]
        slow, fast = np.median(np.array(times), 0) * 1e6 / _PHONES
        equal = float((moved == 0).float().mean())
        print(f"| {name} | {equal:.1%} | {int(moved.max())} | {slow:.0f} | {fast:.0f} | {slow / fast:.2f} |", flush=True)
    return 0


def case(config: BackboneConfig) -> tuple[tuple[Tensor, Tensor, Tensor], list[Levels], list[Tensor]]:
    """Return phones with full histories and both tables, the layers as levels, and as the weights that these stand for."""
    made = torch.Generator().manual_seed(0)
    layers = backbone.net(config).layers(config)
    whole = [Levels.of(torch.randn(n.channels, n.fan_in, generator=made) * (n.gain / n.fan_in) ** 0.5) for n in layers]
    items = torch.randint(1, _ITEMS + 1, (_PHONES, config.max_len), generator=made)
    item, position = torch.randn(_ITEMS + 1, config.dim, generator=made), torch.randn(config.max_len, config.dim, generator=made)
    return (items, item * 0.1, position * 0.1), whole, [layer.weight for layer in whole]


def states(given: tuple[Tensor, Tensor, Tensor], weights: Sequence[Weight], config: BackboneConfig) -> Tensor:
    """Return the last states [D, d]."""
    return backbone.last_states(*given, weights, config)


def ranks(item: Tensor, last: Tensor) -> Tensor:
    """Return the rank of one item for each phone among all, [D]: that in the middle of the catalogue."""
    scores = last @ item[1:].T
    return (scores > scores[:, _ITEMS // 2, None]).sum(1)


def _seconds(call: Callable[..., Any], *given: Any) -> float:
    start = time.thread_time()
    call(*given)
    return time.thread_time() - start
