"""`forward-ofa`: a skipped block costs no bytes, no operations, and changes nothing; budgets drop the least likely."""

from dataclasses import replace

import numpy as np
import torch

from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE
from chordsim.methods.forward_ofa import net as forward_ofa
from chordsim.nets import footprint, sasrec
from chordsim.nets.windows import Windows
from chordsim.ragged import Ragged


def _force(t, *biases):
    """Make the controller keep (positive) or skip (negative) each block for everybody."""
    t.state = {k: v.clone() for k, v in t.state.items()}
    t.state["controller.policy.head.weight"].zero_()
    t.state["controller.policy.head.bias"].copy_(torch.tensor([x for b in biases for x in (0.0, b)]))


def test_a_skipped_block_costs_nothing(talk):
    t = talk("forward-ofa", blocks=3)
    _force(t, 1.0, 1.0, 1.0)
    full = t.exchange()
    _force(t, 1.0, -1.0, 1.0)
    part = t.exchange()
    on = t.who.active
    block = forward_ofa.block_weights(t.device.shapes)
    saved = full[DOWN_PRESCRIPTION][0].lengths - part[DOWN_PRESCRIPTION][0].lengths
    assert (saved[on] == 4 * block).all()
    before, after = full[DOWN_PRESCRIPTION][1].cost, part[DOWN_PRESCRIPTION][1].cost
    assert (before.macs - after.macs == forward_ofa.block_macs(t.device.shapes)[1])[on].all()
    assert (before.model_bytes - after.model_bytes == 4 * block)[on].all()
    assert (before.peak_memory_bytes - after.peak_memory_bytes == 4 * block)[on].all()


def test_all_blocks_cost_what_the_dense_model_costs(talk):
    shapes = talk("forward-ofa", blocks=3).device.shapes
    fixed = shapes.n_items * shapes.backbone.dim
    assert fixed + forward_ofa.block_macs(shapes).sum() == footprint.dense_macs(shapes)


def test_a_skipped_block_passes_its_input_on(talk):
    t = talk("forward-ofa", blocks=2)
    _force(t, 1.0, -1.0)
    turn = t.exchange()[DOWN_PRESCRIPTION][1]
    kept, values, _ = forward_ofa.unpack_blocks(t.exchange()[DOWN_PRESCRIPTION][0], 2, forward_ofa.block_weights(t.device.shapes))
    assert kept[t.who.active].tolist() == [[True, False]] * int(t.who.active.sum())
    items = torch.from_numpy(t.history.items)
    one = t.context.backbone.model_copy(update={"blocks": 1})
    weights = forward_ofa.weights_of(values, t.device.shapes)[:6]
    states = sasrec.forward(items, sasrec.embed(items, t.model.item, t.model.position), weights, one)
    assert np.allclose((states @ t.model.item.T).numpy()[t.who.active], turn.scored()[t.who.active], atol=1e-5)


def test_budgets_drop_the_least_likely_block_first():
    kept = np.array([[True, True, True], [True, True, True], [True, False, True], [True, True, True]])
    chance = np.array([[0.9, 0.6, 0.8]] * 4)
    macs = np.array([10, 10, 10])
    got = forward_ofa.drop(kept, chance, macs, 4, np.array([30, 20, 30, 30]), np.array([12, 12, 12, 4]))
    assert got.tolist() == [[True, True, True], [True, False, True], [True, False, True], [True, False, False]]


def test_a_small_phone_asks_for_fewer_blocks(talk):
    t = talk("forward-ofa", blocks=3)
    _force(t, 1.0, 2.0, 3.0)
    room = t.device.fixed_bytes + 4 * t.device.numbers
    small = replace(t.who, budgets=replace(t.who.budgets, memory_bytes=np.full(len(t.who), room)))
    legs = t.exchange(small)
    kept, _ = forward_ofa.unpack_kept(legs[UP_PROFILE][0].matrix(1 + 4 * 16)[0][:, :1], 3)
    assert kept[t.who.active].tolist() == [[False, False, True]] * int(t.who.active.sum())
    assert (legs[DOWN_PRESCRIPTION][1].refusal[t.who.active] == 0).all()


def test_a_phone_asks_with_the_structure_that_its_budgets_leave(talk):
    """The same user on a smaller phone asks for other weights, those that were trained for what is left."""
    t = talk("forward-ofa", blocks=3)
    _force(t, 1.0, 2.0, 3.0)
    small = replace(t.who, budgets=replace(t.who.budgets, memory_bytes=np.full(len(t.who), t.device.fixed_bytes + 4 * t.device.numbers)))
    asked = [t.exchange(who)[UP_PROFILE][0].matrix(1 + 4 * 16)[0][:, 1:].copy().view("<f4")[t.who.active] for who in (t.who, small)]
    items = torch.from_numpy(t.history.items)[torch.from_numpy(t.who.active)]
    for told, kept in zip(asked, ([1.0, 1.0, 1.0], [0.0, 0.0, 1.0]), strict=True):
        _, interest = t.model.controller(items, t.model.item)
        wanted = t.model.controller.asks(interest, torch.tensor(kept).expand(len(items), -1))
        assert np.allclose(told, wanted.numpy(), atol=1e-6)
    assert not np.allclose(*asked)


def test_training_draws_room_for_blocks_and_cools_within_its_own_steps(talk):
    t = talk("forward-ofa", {"cooling": 2}, blocks=3)
    network, kept = t.cloud.network(), []
    network.gated = lambda interest, mask: kept.append(mask.detach()) or type(network).gated(network, interest, mask)
    windows = Windows(*(torch.randint(1, 51, (64, 20), generator=torch.Generator().manual_seed(n)) for n in range(3)))
    for _ in range(3):
        network.states(windows, 0.0, torch.Generator().manual_seed(5))
    counts = kept[0].round().sum(1)
    assert set(counts.tolist()) <= {0.0, 1.0, 2.0, 3.0} and len(set(counts.tolist())) >= 3
    assert network.cooling == 2 and network.steps == 3


def test_blocks_survive_the_wire_and_nonsense_does_not():
    kept = np.array([[True, False], [False, False]])
    values = np.random.default_rng(0).normal(size=(2, 2, 5)).astype(np.float32)
    rows = forward_ofa.pack_blocks(kept, values)
    flags, back, sound = forward_ofa.unpack_blocks(rows, 2, 5)
    assert sound.all() and flags.tolist() == kept.tolist() and np.array_equal(back[0, 0].numpy(), values[0, 0])
    bad = Ragged.of_rows([b"", b"\x01", b"\xff" + bytes(40), b"\x01" + b"\xff" * 20])
    assert not forward_ofa.unpack_blocks(bad, 2, 5)[2].any()
