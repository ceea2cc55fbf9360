"""In training, what is made for a user never sees a target: not the position's own, not one that comes later."""

from __future__ import annotations

import pytest
import torch

from chordsim import seeds
from chordsim.nets.windows import Windows
from chordsim.progress import Silent
from server.training.sampler import Sampler

PERSONAL = ["diet", "duet", "forward-ofa", "cocorrrec", "dccl", "film-192"]
OTHERS = ["qat-2", "chai"]


@pytest.mark.parametrize("name", PERSONAL + OTHERS)
def test_a_state_does_not_move_with_its_targets(talk, name):
    t = talk(name, None if name != "chai" else {"dim": 8, "ffn_dim": 8, "blocks": 1, "heads": 1})
    network = t.cloud.restored(t.state)
    if name == "chai":
        t.cloud.start(network, t.world.logs, Silent())
    length = t.context.backbone.max_len
    horizon = min(network.horizon, 8)
    sampler = Sampler(t.world.logs, length, horizon, seeds.generator(1, "test"))
    windows = sampler.draw(16)
    first = (windows.targets > 0).int().argmax(1)
    later = torch.arange(length)[None] > first[:, None]
    other = torch.randint(1, t.world.n_items + 1, windows.inputs.shape, generator=torch.Generator().manual_seed(2))
    changed = Windows(torch.where(later, other, windows.inputs), torch.where(windows.targets > 0, other, 0), windows.history)
    rows = torch.arange(16)

    def at_first(w):
        with torch.no_grad():
            states = network.states(w, 0.0, torch.Generator().manual_seed(3))
            return states[rows, first - (length - states.shape[1])]

    before, after = at_first(windows), at_first(changed)
    assert torch.allclose(before, after, atol=1e-5)


@pytest.mark.parametrize("name", PERSONAL)
def test_what_is_made_for_a_user_follows_the_history(talk, name):
    t = talk(name)
    network = t.cloud.restored(t.state)
    windows = Sampler(t.world.logs, t.context.backbone.max_len, 8, seeds.generator(1, "test")).draw(16)
    # The same inputs with other users' histories: a personal part must notice.
    swapped = Windows(windows.inputs, windows.targets, windows.history.flip(0))
    with torch.no_grad():
        own, other = (network.states(w, 0.0, torch.Generator().manual_seed(3)) for w in (windows, swapped))
    assert not torch.allclose(own, other, atol=1e-6)
