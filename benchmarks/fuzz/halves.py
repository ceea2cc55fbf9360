"""What the shipped halves of `chord-plus` read: blobs, plans, profiles."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import safetensors.torch
import torch

from benchmarks.fuzz.target import ROWS, Target, expect, one_by_one
from chordsim import methods
from chordsim.config.model import BackboneConfig, DataConfig, RoundsConfig, Scenario, SyntheticConfig, TrainingConfig
from chordsim.methods import Batch, Leg, PhoneBatch
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.settings import resolve_settings
from chordsim.world import build


def halves() -> dict[str, Target]:
    """Return what each of them reads, by name."""
    from server.training import cache

    scenario = Scenario(
        methods=("chord-plus",),
        data=DataConfig(source="synthetic", synthetic=SyntheticConfig(users=80, items=50, groups=4, mean_length=16.0)),
        backbone=BackboneConfig(dim=16, ffn_dim=16, max_len=12),
        training=TrainingConfig(max_steps=3, batch=16, eval_every=3, threads=1),
        rounds=RoundsConfig(count=1),
        settings={"chord-plus": {"profile_dim": 8}},
    )
    world = build(resolve_settings(scenario))
    spec, context = world.specs["chord-plus"], world.context("chord-plus")
    cloud, device = methods.load(spec.cloud)(context), methods.load(spec.device)(context)
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("CHORDSIM_CACHE")
        os.environ["CHORDSIM_CACHE"] = folder
        state, _ = cache.trained(cloud, world.logs, Silent())
        os.environ.pop("CHORDSIM_CACHE") if before is None else os.environ.update(CHORDSIM_CACHE=before)
    bootstrap = {blob.label: blob.data for blob in cloud.bootstrap(state)}
    model = device.load(bootstrap)
    ids = np.arange(ROWS)
    asked = Batch(ids, np.ones(ROWS, np.bool_), 1)
    who = PhoneBatch(ids, asked.active, 1, world.population.profiles(ids).budgets)
    history = world.split.history(world.population.users(ids), 1, context.backbone.max_len)
    up, down = Leg("up", "profile"), Leg("down", "prescription")
    with torch.inference_mode():
        profiles = device.act(model, {}, up, who, history, Ragged.empty(ROWS)).outbox
        plans = cloud.respond(state, down, asked, profiles).outbox

    def profile(rows: Ragged) -> None:
        rows = Ragged.concat([rows, Ragged.empty(ROWS - len(rows))])
        turn = cloud.respond(state, down, asked, rows)
        expect(len(turn.outbox) == ROWS and not turn.outbox.lengths[turn.refusal > 0].any(), "a refused phone got a plan")

    def plan(rows: Ragged) -> None:
        rows = Ragged.concat([rows, Ragged.empty(ROWS - len(rows))])
        with torch.inference_mode():
            turn = device.act(model, {}, down, who, history, rows)
        expect(np.isfinite(turn.scored()[turn.refusal == 0]).all(), "a score that is no number")

    def blob(label: str) -> Target:
        seeds = [bootstrap[label]] if label == "backbone" else unlike(bootstrap[label])
        return Target(seeds, one_by_one(lambda row: device.load({**bootstrap, label: row})), 0.005, rows=ROWS)

    some = [row for row in plans if row][:8]
    return {
        "profile at the cloud": Target(list(profiles)[:8], profile, 0.5, rows=ROWS),
        "plan on the phone": Target(some, plan, 0.2, rows=ROWS),
        **{f"bootstrap: {label}": blob(label) for label in bootstrap},
    }


def unlike(blob: bytes) -> list[bytes]:
    """Return a blob of tensors and some that are well made, but hold other things."""
    tensors = safetensors.torch.load(blob)
    kinds = (torch.float32, torch.float16, torch.float64, torch.bfloat16, torch.int8, torch.uint8, torch.int64, torch.bool)
    other = [{name: value.to(kind) for name, value in tensors.items()} for kind in kinds]
    none = {name: value.float() * float("nan") for name, value in tensors.items()}
    more = {**tensors, "extra": torch.ones(3), **{f"{name}.scale": torch.ones(2, 2) for name in tensors}}
    return [blob, *(safetensors.torch.save(t) for t in (*other, none, more, {}, {"x": torch.ones(1)}))]
