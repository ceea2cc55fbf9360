"""Methods on backbones without attention: what can work with them plays whole, what cannot is refused by what its spec declares."""

from dataclasses import replace

import numpy as np
import pytest

from chordsim import api, methods
from chordsim.cli import main
from chordsim.errors import ScenarioError
from chordsim.scenario.load import load
from tests.chordsim.methods.exact_sizes import exact_sizes

NAMES = sorted(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim."))
ABLE = [name for name in NAMES if not methods.find(name).backbones]
UNABLE = [name for name in NAMES if methods.find(name).backbones]
CASER = {"kind": "caser", "ffn_dim": 64, "window": 4, "vertical": 3, "horizontal": 6}
GRU4REC = {"kind": "gru4rec", "ffn_dim": 64}
#: Tried on both here; the others on GRU4Rec in the slow tests.
PLAIN = ("fp32", "uniform-2", "chord", "chord-plus", "diet", "finetune")
BASIC = {
    "fp32",
    "int8",
    "uniform-2",
    "qat-2",
    "static-mixed",
    "otaro",
    "chord",
    "chord-plus",
    "chord-shared",
    "chord-random",
    "chord-swapped",
    "film-192",
    "cloud-only",
    "finetune",
    "fedavg",
    "popularity",
    "markov",
}


def test_what_needs_no_blocks_works_with_any_backbone():
    assert set(ABLE) >= BASIC and {"forward-ofa", "dccl", "chai", "cocorrrec"} == set(UNABLE)


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        pytest.param(name, backbone, id=f"{name}-{backbone['kind']}", marks=() if name in PLAIN or backbone is CASER else pytest.mark.slow)
        for name in ABLE
        for backbone in (CASER, GRU4REC)
    ],
)
def test_sizes_are_what_is_encoded_and_somebody_ranks(talk, name, backbone):
    t = talk(name, **backbone)
    legs = t.exchange()
    told = {leg: payload for leg, (payload, _, _) in legs.items()}
    sizes = exact_sizes(t.spec, t.context, t.who, told)
    for leg, expected in sizes.items():
        payload, _, cloud = legs[leg]
        sent = t.who.active & (cloud is None or cloud.refusal == 0)
        assert payload.lengths.tolist() == np.where(sent, expected, 0).tolist(), leg
    ranked = [d for _, d, _ in legs.values() if d.scores is not None or d.ranking is not None]
    assert len(ranked) == 1 and not ranked[0].refusal[t.who.active].any()
    if ranked[0].scores is not None:
        assert np.isfinite(ranked[0].scored()[t.who.active][:, 1:]).all()
    assert (ranked[0].cost.peak_memory_bytes[t.who.active] > 0).all()


@pytest.mark.parametrize("name", ["fp32", "chord-plus", "finetune", "otaro"])
def test_a_phone_without_memory_is_refused(talk, name):
    t = talk(name, **CASER)
    none = replace(t.who.budgets, memory_bytes=np.zeros(len(t.who), np.int64))
    refused = t.cloud.admit(t.state, none) > 0
    for _, done, _ in t.exchange(replace(t.who, budgets=none)).values():
        refused |= done.refusal > 0
    assert refused[t.who.active].all()


def test_a_plan_is_two_bits_per_filter(talk):
    t = talk("chord-plus", **CASER)
    assert t.cloud.shapes.channels == 3 + 4 * 6 + 16
    plans = next(payload for leg, (payload, _, _) in t.exchange().items() if leg.kind == "prescription")
    assert plans.lengths[t.who.active].tolist() == [-(-43 * 2 // 8)] * int(t.who.active.sum())


def test_fine_tuning_moves_every_layer(talk):
    t = talk("finetune", **CASER)
    model = t.device.load(t.blobs())
    own = t.device.learn(model, t.history)
    long = (t.history.items > 0).sum(1) > CASER["window"] + 1
    for before, after in zip(model.weights, own, strict=True):
        assert ((after - before).abs().flatten(1).amax(1).numpy()[long] > 0).all()


@pytest.mark.parametrize("name", UNABLE)
@pytest.mark.parametrize("kind", ["caser", "gru4rec"])
def test_what_needs_blocks_is_refused_when_the_scenario_is_read(name, kind):
    with pytest.raises(ScenarioError) as caught:
        load("offline", [f"backbone.kind={kind}", f'methods=["fp32","{name}"]'])
    line = str(caught.value)
    assert "\n" not in line and f"'{name}'" in line and "backbone.kind" in line and '"sasrec"' in line and f'"{kind}"' in line
    assert line.startswith(f"--set backbone.kind={kind}")
    assert load("offline", [f'methods=["fp32","{name}"]']).backbone.kind == "sasrec"


def test_the_command_exits_with_2(tmp_path, capsys):
    args = ["run", "offline", "--set", "backbone.kind=caser", "--set", 'methods=["dccl"]', "--out", str(tmp_path / "run")]
    assert main(args) == 2 and not (tmp_path / "run").exists()
    assert capsys.readouterr().err.count("backbone.kind") == 2


def test_a_whole_run_counts_every_byte_and_repeats(tiny, tmp_path):
    """The invariants at the close of a run reconcile parts, links and carrier; a second run is the same ledger."""
    chosen = ("fp32", "uniform-2", "chord", "chord-plus", "chord-swapped", "film-192", "fedavg", "cloud-only", "markov")
    overrides = tiny("backbone.kind=caser", "backbone.ffn_dim=64", "backbone.window=4", 'backbone.init="random"', methods=chosen)
    first, again = (api.run("offline", overrides=overrides, out=tmp_path / name) for name in ("a", "b"))
    assert first.manifest["status"] == "complete" and set(first.summary["methods"]) == set(chosen)
    assert first.manifest["ledger_sha256"] == again.manifest["ledger_sha256"]
    served = first.ledger[first.ledger.outcome == "served"]
    assert set(served.method) >= {"uniform-2", "chord-plus", "cloud-only", "markov"}
    assert served["rank"].notna().all()
    other = api.run("offline", overrides=[*overrides, "backbone.horizontal=8"], out=tmp_path / "c")
    assert other.manifest["ledger_sha256"] != first.manifest["ledger_sha256"]
    assert other.summary["methods"]["fp32"]["down_bytes_per_device"] < first.summary["methods"]["fp32"]["down_bytes_per_device"]


def test_a_recurrent_backbone_plays_a_whole_run(tiny, tmp_path):
    chosen = ("fp32", "uniform-2", "chord-plus", "finetune")
    overrides = tiny("backbone.kind=gru4rec", "backbone.settings.layers=2", "backbone.ffn_dim=64", methods=chosen)
    first, again = (api.run("offline", overrides=overrides, out=tmp_path / name, report=False) for name in ("a", "b"))
    assert first.manifest["status"] == "complete" and set(first.summary["methods"]) == set(chosen)
    assert first.manifest["ledger_sha256"] == again.manifest["ledger_sha256"]


def test_a_trained_frozen_caser_is_shipped_and_counted(tiny, tmp_path):
    overrides = tiny("backbone.kind=caser", "backbone.ffn_dim=64", methods=("chord-plus",))
    random, trained = (
        api.run("offline", overrides=[*overrides, f'backbone.init="{init}"'], out=tmp_path / init).ledger for init in ("random", "trained")
    )
    weights = 4 * (4 * 5 + 16 * 16 * 15 + 16 * (4 * 16 + 16 * 5))
    more = trained.bootstrap_bytes.max() - random.bootstrap_bytes.max()
    assert weights <= more < weights + 1000
