"""What a backbone is held to, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chordsim.config.model import BackboneConfig
from chordsim.nets import backbone
from chordsim.nets.choice import Weight
from chordsim.nets.frozen import draw
from chordsim.nets.shapes import shapes_of
from chordsim.quant.plan import gather
from chordsim.quant.quantizer import table
from chordsim.scenario.settings import resolved_backbone
from chordsim.testing.properties import Property, held, need

ITEMS, PHONES, LENGTH = 30, 6, 10
#: How far two ways of computing one number of a state may lie apart; sums are in float64.
CLOSE = 1e-8


def check_backbone(kind: str, settings: Mapping[str, Any] | None = None, **keys: Any) -> tuple[str, ...]:
    """Hold a registered kind of backbone against all properties, with drawn weights and histories.

    Args:
        kind: As ``backbone.kind`` names it.
        settings: What ``[backbone.settings]`` says.
        keys: Further keys of ``[backbone]``, such as ``heads``.

    Returns:
        The names of the properties.

    Raises:
        PropertyFailed: The first property that it lacks, by name.
        ScenarioError: No such kind, or settings that it does not take.
    """
    config = BackboneConfig.model_validate({"kind": kind, "dim": 8, "max_len": LENGTH, "settings": dict(settings or {}), **keys})
    return held(kind, _Case(resolved_backbone(config)), PROPERTIES)


@dataclass(frozen=True)
class _Case:
    """Histories of several lengths and what a backbone makes of them, in float64."""

    config: BackboneConfig

    def items(self) -> Tensor:
        made = torch.Generator().manual_seed(5)
        items = torch.randint(1, ITEMS + 1, (PHONES, LENGTH), generator=made)
        for row in range(PHONES):
            items[row, :row] = 0
        return items

    def tables(self) -> tuple[Tensor, Tensor]:
        made = torch.Generator().manual_seed(6)
        item = torch.randn(ITEMS + 1, self.config.dim, generator=made).double()
        return item, torch.randn(backbone.position_shape(self.config), generator=made).double()

    def weights(self) -> list[Tensor]:
        return [weight.double() for weight in draw(shapes_of(self.config, ITEMS).layers, 7)]

    def states(self, items: Tensor) -> Tensor:
        return backbone.embed(items, *self.tables(), self.config)

    def run(self, items: Tensor, weights: Sequence[Weight], reads: int | None = None) -> Tensor:
        return backbone.forward(items, self.states(items), weights, self.config, reads=reads)


def _closed(case: _Case) -> None:
    net, shapes = backbone.net(case.config), shapes_of(case.config, ITEMS)
    need(len(shapes.layers) > 0, "layers() is empty")
    need(len({layer.name for layer in shapes.layers}) == len(shapes.layers), "two layers have one name")
    for layer in shapes.layers:
        need(min(layer.channels, layer.fan_in, layer.positions) >= 1 and layer.gain > 0, f"{layer.name}: a size below one, or no variance")
    for name in ("attention_macs", "activation_bytes", "position_rows", "pass_macs", "kept_numbers"):
        value = getattr(net, name)(case.config)
        need(isinstance(value, int) and value >= 0, f"{name}() is {value!r}, no whole number")
    need(net.activation_bytes(case.config) >= 4 * case.config.dim, "activation_bytes() holds not even one state")


def _shaped(case: _Case) -> None:
    items = case.items()
    need(case.states(items).shape == (PHONES, LENGTH, case.config.dim), "embed() is not [D, L, d]")
    need((case.states(items)[items == 0] == 0).all(), "embed() is not zero at padding")
    need(case.run(items, case.weights()).shape == (PHONES, case.config.dim), "forward() is not [D, d]")
    need(case.run(items, case.weights(), reads=3).shape == (PHONES, 3, case.config.dim), "forward(reads=3) is not [D, 3, d]")


def _deterministic(case: _Case) -> None:
    need(torch.equal(case.run(case.items(), case.weights()), case.run(case.items(), case.weights())), "other states the second time")


def _alone(case: _Case) -> None:
    items, own = case.items(), [w + 0.1 * torch.randn(PHONES, *w.shape, generator=torch.Generator().manual_seed(8)) for w in case.weights()]
    together = case.run(items, own)
    for row in range(PHONES):
        _near(case.run(items[row : row + 1], [w[row : row + 1] for w in own])[0], together[row], f"phone {row} alone has another state")


def _shared(case: _Case) -> None:
    items, weights = case.items(), case.weights()
    _near(
        case.run(items, [w.expand(PHONES, -1, -1) for w in weights]), case.run(items, weights), "own weights that are all the same differ"
    )


def _planned(case: _Case) -> None:
    items, weights, layers = case.items(), case.weights(), shapes_of(case.config, ITEMS).layers
    codes = torch.randint(0, 4, (PHONES, sum(n.channels for n in layers)), generator=torch.Generator().manual_seed(9))
    tables = [table(w) for w in weights]
    parts = torch.split(codes, [n.channels for n in layers], 1)
    built = [torch.stack([rows[code, torch.arange(code.numel())] for code in part]) for rows, part in zip(tables, parts, strict=True)]
    _near(case.run(items, gather(tables, codes, layers)), case.run(items, built), "a plan's weights differ from the same ones built")


def _blind(case: _Case) -> None:
    items, states = case.items(), case.states(case.items())
    dirty = torch.where((items > 0).unsqueeze(-1), states, torch.full_like(states, 9.0))
    weights = case.weights()
    clean = backbone.forward(items, states, weights, case.config)
    _near(backbone.forward(items, dirty, weights, case.config), clean, "what lies at padding changes a state")


def _causal(case: _Case) -> None:
    items, weights = case.items(), case.weights()
    other = items.clone()
    other[:, -1] = items[:, -1] % ITEMS + 1
    before, after = case.run(items, weights, reads=LENGTH), case.run(other, weights, reads=LENGTH)
    real = items[:, :-1] > 0
    _near(before[:, :-1][real], after[:, :-1][real], "a position reads an item that comes after it")
    need((before[:, -1] - after[:, -1]).abs().max() > CLOSE, "the last item changes nothing")


def _read(case: _Case) -> None:
    items, weights = case.items(), case.weights()
    every = case.run(items, weights, reads=LENGTH)
    _near(case.run(items, weights, reads=3), every[:, -3:], "reads=3 are not the last three positions")
    _near(case.run(items, weights), every[:, -1], "without reads it is not the last position")


def _trainable(case: _Case) -> None:
    weights = [w.requires_grad_() for w in case.weights()]
    target = torch.randn(case.config.dim, generator=torch.Generator().manual_seed(10)).double()
    loss = (case.run(case.items(), weights, reads=LENGTH) @ target).square().sum()
    torch.autograd.backward(loss)
    for weight, layer in zip(weights, shapes_of(case.config, ITEMS).layers, strict=True):
        need(weight.grad is not None and bool(weight.grad.abs().sum() > 0), f"no gradient reaches {layer.name}")


def _near(one: Tensor, other: Tensor, otherwise: str) -> None:
    need(one.shape == other.shape and torch.allclose(one, other, atol=CLOSE), otherwise)


PROPERTIES = (
    Property("sized in closed form", _closed),
    Property("of the right shapes", _shaped),
    Property("deterministic", _deterministic),
    Property("the same alone and among others", _alone),
    Property("the same with shared and with own weights", _shared),
    Property("the same by plan and by weights", _planned),
    Property("blind to padding", _blind),
    Property("causal", _causal),
    Property("true to reads", _read),
    Property("trainable in every layer", _trainable),
)
