"""Groups of a channel's inputs with codes of their own: the same weights cut finer, on both backbones."""

from __future__ import annotations

import pytest
import torch

from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError
from chordsim.nets import backbone
from chordsim.nets.choice import Choice
from chordsim.nets.frozen import draw
from chordsim.nets.kinds import LAWS
from chordsim.nets.shapes import shapes_of

CONFIGS = {
    "sasrec": BackboneConfig(dim=16, ffn_dim=24, max_len=10),
    "caser": BackboneConfig(kind="caser", dim=16, max_len=10, window=4, vertical=4, horizontal=4),
}


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("size", [2, 4])
def test_groups_cut_the_same_weights_finer(kind: str, size: int) -> None:
    whole = shapes_of(CONFIGS[kind], 30)
    cut = whole.grouped(size)
    assert cut.weights == whole.weights == cut.channels * size
    assert cut.plan_bytes == -(-whole.weights // size // 4)
    assert whole.grouped(0) is whole
    for law in LAWS:
        for w, n in zip(draw(whole.layers, 3, law), draw(cut.layers, 3, law), strict=True):
            assert torch.allclose(w, n.reshape(w.shape), rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_backbone_of_groups_is_the_backbone_of_its_channels(kind: str) -> None:
    """Shared weights, each phone's own, and each phone's choice among precisions."""
    config, made = CONFIGS[kind], torch.Generator().manual_seed(2)
    whole = shapes_of(config, 30)
    items = torch.randint(1, 31, (6, 10), generator=made)
    items[0, :7] = 0
    states = backbone.embed(
        items, torch.randn(31, 16, generator=made), torch.randn(backbone.position_shape(config), generator=made), config
    )
    shared = draw(whole.layers, 7)
    expected = backbone.forward(items, states, shared, config)
    assert torch.allclose(backbone.forward(items, states, [w.view(-1, 4) for w in shared], config), expected, atol=1e-5)
    tables = [torch.randn(4, w.numel() // 4, 4, generator=made) for w in shared]
    codes = [torch.randint(4, (6, rows.shape[1]), generator=made) for rows in tables]
    choices = [Choice(rows, code) for rows, code in zip(tables, codes, strict=True)]
    for phone in range(6):
        own = [
            torch.stack([rows[c, n] for n, c in enumerate(code[phone].tolist())]).view(w.shape)
            for rows, code, w in zip(tables, codes, shared, strict=True)
        ]
        alone = backbone.forward(items[phone : phone + 1], states[phone : phone + 1], own, config)
        together = backbone.forward(items, states, choices, config)[phone]
        assert torch.allclose(alone[0], together, atol=1e-4)


def test_groups_that_do_not_divide_a_layer_are_refused() -> None:
    with pytest.raises(ScenarioError, match="16 weights do not divide the 24 inputs of block0.feed_out's channels"):
        shapes_of(CONFIGS["sasrec"], 30).grouped(16)
