"""`dccl`: the metapatch moves on the phone, alone, and the cloud distils what comes back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import chordsim
from chordsim.methods import UP_UPDATE
from chordsim.methods.dccl import cloud as dccl_cloud
from chordsim.methods.dccl import net as dccl
from chordsim.nets import embeddings
from chordsim.nets.windows import Windows
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from server.training.rounding import Rounding
from tests.plenty import PLENTY


def test_a_patch_is_basis_times_metapatch_beside_the_feed_forward(talk):
    t = talk("dccl")
    t.exchange()
    m, config = t.model, t.context.backbone
    weights = dccl.patched(m.weights, m.basis, m.meta, config)
    x = torch.randn(7, config.dim)
    theta = m.basis[0] @ m.meta[0]
    into, out = theta[: theta.numel() // 2].view(8, config.dim), theta[theta.numel() // 2 :].view(8, config.dim)
    expected = torch.relu(x @ m.weights[4].T) @ m.weights[5].T + torch.relu(x @ into.T) @ out
    assert torch.allclose(torch.relu(x @ weights[4].T) @ weights[5].T, expected, atol=1e-5)


def test_the_metapatch_moves_on_the_phone_and_nothing_else_does(talk):
    t = talk("dccl")
    sent = t.exchange()[UP_UPDATE][0]
    values = np.frombuffer(b"".join(sent), np.float32).reshape(-1, 2, 8)
    shipped = t.state["meta"].numpy()
    assert all(not np.allclose(v, shipped) for v in values)
    assert len({v.tobytes() for v in values}) == len(values)
    assert all(torch.equal(w, t.state[f"weights.{n}"]) for n, w in enumerate(t.model.weights))


def test_the_cloud_takes_updates_in_and_ships_a_new_version(talk):
    t = talk("dccl")
    sent = t.exchange()[UP_UPDATE][0]
    learnt = t.cloud.learn(t.state, [(t.who, sent)])
    again = t.cloud.learn(t.state, [(t.who, sent)])
    assert not torch.equal(learnt["basis"], t.state["basis"]) and not torch.equal(learnt["weights.0"], t.state["weights.0"])
    assert torch.equal(learnt["item"], t.state["item"])
    assert all(torch.equal(learnt[name], again[name]) for name in learnt)
    assert {b.label: b.data for b in t.cloud.bootstrap(learnt)}["embeddings"] == t.blobs()["embeddings"]


def test_a_device_model_teaches_on_its_own_users_logs_and_on_no_others(talk, monkeypatch):
    t = talk("dccl")
    sent = t.exchange()[UP_UPDATE][0]
    owners = t.world.population.users(t.who.device_ids)
    seen = []
    monkeypatch.setattr(t.cloud, "_distil", lambda network, p, proxies, lessons, devices, draw: seen.append((lessons, devices)))
    t.cloud.learn(t.state, [(replace(t.who, user_ids=owners), sent)])
    lessons, devices = seen[0]
    rows = dccl_cloud.rows_of(owners[t.who.active], t.world.logs.user_ids)
    assert (rows >= 0).all() and (lessons.numpy() == t.world.logs.history(rows, t.context.backbone.max_len + 1).items).all()
    assert np.array_equal(devices.flatten(1).numpy(), np.stack([np.frombuffer(sent[d], "<f4") for d in np.flatnonzero(t.who.active)]))
    strangers = replace(t.who, user_ids=np.full(len(t.who), 10**9))
    assert t.cloud.learn(t.state, [(strangers, sent)]) is t.state and len(seen) == 2


def test_validation_sees_what_a_basis_is_for(talk):
    """Training makes the basis good for metapatches of users; the shipped one alone would never tell it from the start."""
    t = talk("dccl")
    network, items = t.cloud.restored(t.state), torch.from_numpy(t.history.items)
    with torch.no_grad():
        own = network.last_states(items)
        metas = network.metas(items, network.item_as_shipped())
        assert torch.equal(own, network.last(items, metas)) and not torch.allclose(own, network.last(items, network.meta))


def test_validation_reads_the_rows_that_a_step_reads(talk):
    t = talk("dccl", embedding_bits=2)
    network, items = t.cloud.restored(t.state), torch.from_numpy(t.history.items)
    targets = torch.zeros_like(items)
    targets[:, -1] = 1
    with torch.no_grad():
        network.writer["head"].weight += 1.0  # what proxies read shall tell
        with Rounding(network, t.world.logs).in_place():
            trained = network.states(Windows(items, targets, items), 0.0, torch.Generator())[:, -1]
        torch.testing.assert_close(network.last_states(items), trained, rtol=1e-4, atol=1e-4)


def test_distillation_knows_the_rows_that_phones_hold_alone(talk):
    """Two clouds whose exact rows differ by less than what is shipped learn the same from the same phones."""
    t = talk("dccl", embedding_bits=8)
    sent = t.exchange()[UP_UPDATE][0]
    reports = [(replace(t.who, user_ids=t.world.population.users(t.who.device_ids)), sent)]
    other = {**t.state, "item": embeddings.rounded(t.state["item"], 8)}
    assert not torch.equal(other["item"], t.state["item"])
    one, two = (t.cloud.learn(state, reports) for state in (t.state, other))
    assert not torch.equal(one["basis"], t.state["basis"])
    for name in ("basis", "meta", "weights.0"):
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=1e-6)


def test_dccl_reads_an_old_metapatch_as_part_of_its_way(talk):
    t = talk("dccl")
    then = t.cloud.basis(t.state)
    values = (then + np.linspace(-0.02, 0.02, then.size)).astype(np.float32)[None]
    again = np.frombuffer(t.cloud.rebased(Ragged.of_matrix(pack_floats(values)), then, then + 1.0, 0.25)[0], "<f4")
    assert np.allclose(again, then + 1.0 + 0.25 * np.linspace(-0.02, 0.02, then.size), atol=1e-6)


@pytest.mark.parametrize("settings", [("distil_steps=0",), ("distil_rate=0.0",), ("distil_steps=1",), ("distil_steps=0", "rate=0.0")])
def test_a_forecast_renews_what_a_run_renews(settings: tuple[str, ...], tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    """Without a step of distillation the weights stay, and without one on the phone the patches: nobody pays for them again."""
    overrides = tiny(*PLENTY, *(f"settings.dccl.{one}" for one in settings), methods=("dccl",))
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run", report=False)
    said = run.summary["forecast"]["dccl"]["all"]
    assert said["down_bytes_per_device"]["inside"]
    assert ("per_version_down_bytes" in said) == ("rate=0.0" not in settings)
    if "per_version_down_bytes" in said:
        assert said["per_version_down_bytes"]["inside"] and said["per_version_down_bytes"]["measured"] > 0, said
    else:
        assert run.summary["methods"]["dccl"]["bootstrap_bytes_again"] == 0
