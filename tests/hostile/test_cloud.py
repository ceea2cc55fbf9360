"""A cloud, or somebody on the line, that sends phones what they must not run: a typed refusal, never a ranking."""

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from chordsim import methods
from chordsim.methods import Budgets, Leg, PhoneBatch
from chordsim.methods.exchange import blob_digest
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.wire.codes import pack_codes
from chordsim.wire.frame import HEADER
from chordsim.world import of_text
from server.training import cache
from tests.chordsim.wire.one_by_one import encode


def all_frames(make):
    """Return a tamperer that changes every message on its way down."""

    def tamper(call):
        wire = {kind: Ragged.of_rows(make(call, kind, row) if row else b"" for row in rows) for kind, rows in call.wire.items()}
        return replace(call, wire=wire)

    return tamper


def flip(call, kind, row):
    return row[:20] + bytes([row[20] ^ 8]) + row[21:]


def cut(call, kind, row):
    return row[:-3]


def old(call, kind, row):
    return encode(kind, call.header["method"], call.header["round"] - 1, row[HEADER.size : -4])


def foreign(call, kind, row):
    """A plan for a backbone with more channels."""
    return encode(kind, call.header["method"], call.header["round"], row[HEADER.size : -4] + bytes(16))


def noise(call, kind, row):
    return np.random.default_rng(len(row)).integers(0, 256, len(row), np.uint8).tobytes()


@pytest.mark.parametrize("harm", [flip, cut, old, foreign, noise])
def test_phones_do_not_run_messages_that_do_not_verify(harm, tiny, play):
    run = play(tiny("rounds.count=1", methods=("chord-plus", "cloud-only")), call=all_frames(harm))
    assert set(run.ledger.outcome.astype(str)) <= {"failed", "refused"}
    assert run.ledger["rank"].isna().all()
    assert (run.ledger.served_by.astype(str) == "fallback").all()
    assert run.manifest["status"] == "failed"


def swapped(label, change):
    """Return a tamperer that announces and sends another bootstrap part, with a digest that fits."""
    made = {}

    def tamper(call):
        told = dict(call.header["blobs"])
        held = {blob_digest(data): data for data in call.blobs.values()}
        if told.get(label) in held:
            made[told[label]] = change(held[told[label]])
        if told.get(label) in made:
            data = made[told[label]]
            blobs = {**call.blobs, blob_digest(data): data}
            told[label] = blob_digest(data)
            return replace(call, header={**call.header, "blobs": told}, blobs=blobs)
        return call

    return tamper


def tensors(change):
    def apply(data):
        return safetensors.torch.save({name: change(value).contiguous() for name, value in safetensors.torch.load(data).items()})

    return apply


def another_backbone(data):
    told = json.loads(data)
    return json.dumps({**told, "seed": told["seed"] + 1}).encode()


@pytest.mark.parametrize(
    ("label", "change"),
    [
        ("backbone", another_backbone),
        ("backbone", lambda data: b'{"seed": Infinity, "sha256": "", "shipped": false}'),
        ("backbone", lambda data: b"[" * 100_000),
        ("embeddings", tensors(lambda t: t * float("nan"))),
        ("embeddings", tensors(lambda t: t[:1])),
        ("extractor", tensors(lambda t: t.to(torch.int64))),
        ("mask", tensors(lambda t: t.float())),
        ("mask", lambda data: data[:100]),
        ("turned", tensors(lambda t: t.float())),
        ("turned", tensors(lambda t: t[:-1])),
        ("gains", tensors(lambda t: t * float("inf"))),
        ("gains", tensors(lambda t: t[:1])),
    ],
)
def test_phones_do_not_load_a_bootstrap_that_does_not_verify(label, change, tiny, play, caplog):
    more = ("settings.chord-plus.gains=true", 'settings.chord-plus.signs="learnt"')
    run = play(tiny("rounds.count=2", *more, methods=("chord-plus",)), call=swapped(label, change))
    assert set(run.ledger.outcome.astype(str)) <= {"failed", "refused"}
    assert run.ledger["rank"].isna().all()
    assert run.manifest["status"] == "failed"
    assert "do not run this bootstrap" in caplog.text


def test_a_part_that_is_left_out_is_a_refusal(tiny, play):
    def leave_out(call):
        told = {label: digest for label, digest in call.header["blobs"].items() if label != "embeddings"}
        return replace(call, header={**call.header, "blobs": told})

    run = play(tiny("rounds.count=1", methods=("chord-plus",)), call=leave_out)
    assert set(run.ledger.outcome.astype(str)) <= {"failed", "refused"}


def test_a_phone_refuses_a_plan_above_its_own_budget_whatever_the_cloud_thinks(tiny):
    world = of_text(dump(load("offline", tiny(methods=("chord-plus",)))))
    spec, context = world.specs["chord-plus"], world.context("chord-plus")
    cloud, device = methods.load(spec.cloud)(context), methods.load(spec.device)(context)
    state, _ = cache.trained(cloud, world.logs, Silent())
    model = device.load({blob.label: blob.data for blob in cloud.bootstrap(state)})
    ids = np.arange(4)
    history = world.split.history(world.population.users(ids), 1, context.backbone.max_len)
    plans = Ragged.of_matrix(pack_codes(np.full((4, device.shapes.channels), 3, np.uint8)))

    def act(memory_bytes, latency_s):
        budgets = Budgets(np.full(4, memory_bytes), np.full(4, latency_s), np.full(4, 8.0), np.full(4, 1e9))
        who = PhoneBatch(ids, np.ones(4, np.bool_), 1, budgets)
        with torch.inference_mode():
            return device.act(model, {}, Leg("down", "prescription"), who, history, plans)

    roomy = act(2**40, 1e9)
    assert not roomy.refusal.any()
    need = int(roomy.cost.peak_memory_bytes[0])
    assert not act(need, 1e9).refusal.any()
    assert act(need - 1, 1e9).refusal.tolist() == [methods.BINDINGS.index("memory")] * 4
    assert act(2**40, 1e-12).refusal.tolist() == [methods.BINDINGS.index("latency")] * 4
