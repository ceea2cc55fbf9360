"""Forward passes and ranks of phones of several shapes, for torch and for the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim import evaluate
from chordsim.config.model import BackboneConfig, ProtocolConfig
from chordsim.data.history import Spans
from chordsim.kernels import forward, ranking
from chordsim.nets import backbone
from chordsim.nets.choice import Choice, Weight
from chordsim.quant.plan import room_for
from chordsim.quant.quantizer import table

_ITEMS, _BLOCK, _SEEN = 3416, 32, 165
#: Name, shape, real items of a history, phones of a call, whether a quarter of the channels is off.
_PLANS: tuple[tuple[str, dict[str, Any], int, int, bool], ...] = (
    ("width 64, 50 items", {}, 50, 256, False),
    ("width 64, 50 items, a quarter of the channels off", {}, 50, 256, True),
    ("width 64, 20 items of 50", {}, 20, 256, False),
    ("width 64, 8 items of 50", {}, 8, 256, False),
    ("width 64, feed-forward 256, 200 items", {"ffn_dim": 256, "max_len": 200}, 200, 64, False),
    ("width 128, 50 items", {"dim": 128, "ffn_dim": 128}, 50, 64, False),
    ("width 256, 50 items", {"dim": 256, "ffn_dim": 256}, 50, 32, False),
)
Work = tuple[str, int, Callable[[], Any], Callable[[], Any]]


def forwards() -> list[Work]:
    """Return passes of plans, and of one model that all phones share."""
    out = []
    for name, shape, real, phones, off in _PLANS:
        config = BackboneConfig(**shape)
        drawn, given = _given(config, real, phones)
        made = torch.Generator().manual_seed(1)
        codes = [torch.randint(0 if off else 1, 4, (phones, len(w)), generator=made) for w in drawn]
        plans: list[Weight] = [Choice(table(w), code) for w, code in zip(drawn, codes, strict=True)]
        out.append(_pass(f"plans, {name}", *given, plans, config))
        if not off and len(shape) < 2:
            out.append(_pass(f"shared weights, {name}", *given, list(drawn), config))
    return out


def ranks() -> list[Work]:
    """Return scores, masks and ranks of all items, and ranks in the popularity list."""
    out: list[Work] = []
    protocol = ProtocolConfig()
    for items, phones in ((_ITEMS, 256), (100_000, 256)):
        made, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
        states, rows = torch.randn(phones, 64, generator=made), torch.randn(items + 1, 64, generator=made)
        lengths = rng.integers(0, 2 * _SEEN, phones)
        ends = np.cumsum(lengths)
        seen = Spans(rng.integers(1, items + 1, int(ends[-1]) + 1).astype(np.int32), ends - lengths, ends)
        targets = rng.integers(1, items + 1, phones)
        popularity = rng.integers(0, 1000, items + 1)

        def scored(s: Tensor = states, r: Tensor = rows, t: Any = targets, h: Spans = seen) -> Any:
            scores = (s @ r.T).numpy()
            np.isnan(scores.sum(axis=1))
            return evaluate.rank_scores(scores, t, h.pairs(), protocol, (0, t, 0))

        def counted(s: Tensor = states, r: Tensor = rows, t: Any = targets, h: Spans = seen) -> Any:
            return ranking.rank_states(s, r, t, h, protocol)

        def listed(p: Any = popularity, t: Any = targets, h: Spans = seen) -> Any:
            return evaluate.fallback_ranks(p, t, h.pairs(), protocol)

        def popular(p: Any = popularity, t: Any = targets, h: Spans = seen) -> Any:
            return ranking.popular_ranks(p, t, h, protocol)

        out += [
            (f"scores and ranks, {items:,} items", phones, scored, counted),
            (f"fallback ranks, {items:,} items", phones, listed, popular),
        ]
    return out


def _given(config: BackboneConfig, real: int, phones: int) -> tuple[list[Tensor], tuple[Tensor, Tensor, Tensor]]:
    made = torch.Generator().manual_seed(0)
    drawn = [torch.randn(n.channels, n.fan_in, generator=made) * (n.gain / n.fan_in) ** 0.5 for n in backbone.net(config).layers(config)]
    items = torch.randint(1, _ITEMS + 1, (phones, config.max_len), generator=made)
    items[:, : config.max_len - real] = 0
    item, position = torch.randn(_ITEMS + 1, config.dim, generator=made), torch.randn(config.max_len, config.dim, generator=made)
    return drawn, (items, item * 0.1, position * 0.1)


def _pass(name: str, items: Tensor, item: Tensor, position: Tensor, weights: list[Weight], config: BackboneConfig) -> Work:
    room = room_for(_BLOCK, backbone.net(config).layers(config))

    def part(weight: Weight, rows: slice) -> Weight:
        return Choice(weight.rows, weight.codes[rows], room) if isinstance(weight, Choice) else weight

    def reference() -> Tensor:
        starts = range(0, len(items), _BLOCK)
        blocks = (slice(at, at + _BLOCK) for at in starts)
        return torch.cat([backbone.last_states(items[b], item, position, [part(w, b) for w in weights], config) for b in blocks])

    return f"forward, {name}", len(items), reference, lambda: forward.last_states(items, item, position, weights, config)
