"""Forward passes and ranks where a device is told: the reference's on the CPU, all tensors on the device elsewhere, refusals in a line.

No GPU is needed but for the last test: tensors without data, of torch's device `meta`, refuse to meet those of the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.weak import WeakIdKeyDictionary

import chordsim
from chordsim import evaluate
from chordsim.cli import main
from chordsim.config.model import BackboneConfig, EngineConfig, ProtocolConfig, Scenario
from chordsim.data.history import Spans
from chordsim.errors import ScenarioError
from chordsim.kernels import accelerator as on
from chordsim.kernels.choose import as_played
from chordsim.nets import backbone
from chordsim.nets.choice import Choice, Weight
from chordsim.quant.quantizer import table

Tiny = Callable[..., list[str]]
PHONES, ITEMS = 9, 40
KINDS = [
    BackboneConfig(dim=12, ffn_dim=20, heads=3, max_len=9),
    BackboneConfig(kind="caser", dim=12, max_len=9),
    BackboneConfig(kind="gru4rec", dim=12, max_len=9),
]


def at(device: str) -> on.Accelerator:
    return on.Accelerator(torch.device(device), WeakIdKeyDictionary())


def phones(config: BackboneConfig, kind: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[Weight], BackboneConfig]:
    """Histories of all lengths and one model for all, or each phone's own plan."""
    made = torch.Generator().manual_seed(5)
    drawn = [torch.randn(n.channels, n.fan_in, generator=made) for n in backbone.net(config).layers(config)]
    items = torch.randint(1, ITEMS + 1, (PHONES, config.max_len), generator=made)
    items[torch.arange(config.max_len)[None] < torch.arange(PHONES)[:, None]] = 0
    plans: list[Weight] = [Choice(table(w), torch.randint(4, (PHONES, len(w)), generator=made, dtype=torch.uint8)) for w in drawn]
    item = torch.randn(ITEMS + 1, config.dim, generator=made)
    position = torch.randn(backbone.position_shape(config), generator=made)
    return items, item, position, plans if kind == "plan" else list(drawn), config


def ranked() -> tuple[torch.Tensor, torch.Tensor, np.ndarray, Spans]:
    """Whole numbers, so that scores tie; one phone's scores are no numbers, and one's target was seen."""
    made, rng = torch.Generator().manual_seed(2), np.random.default_rng(2)
    states, items = torch.randn(PHONES, 6, generator=made).round(), torch.randn(ITEMS + 1, 6, generator=made).round()
    states[3] = torch.nan
    lengths = rng.integers(0, 12, PHONES)
    lengths[4] = 5
    ends = lengths.cumsum()
    log = rng.integers(1, ITEMS + 1, int(ends[-1])).astype(np.int32)
    targets = rng.integers(1, ITEMS + 1, PHONES)
    targets[4] = log[ends[4] - 1]
    return states, items, targets, Spans(log, ends - lengths, ends)


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
@pytest.mark.parametrize("kind", ["plan", "shared"])
def test_states_are_the_references(config: BackboneConfig, kind: str) -> None:
    items, item, position, weights, _ = phones(config, kind)
    longs: list[Weight] = [Choice(w.rows, w.codes.long()) if isinstance(w, Choice) else w for w in weights]
    expected = backbone.last_states(items, item, position, longs, config)
    assert torch.equal(at("cpu").last_states(items, item, position, weights, config), expected)
    user = torch.randn(len(items), config.dim, generator=torch.Generator().manual_seed(5))
    expected = backbone.last_states(items, item, position, longs, config, user)
    assert torch.equal(at("cpu").last_states(items, item, position, weights, config, user), expected)


@pytest.mark.parametrize("mask_seen", [True, False])
def test_ranks_are_the_evaluators_however_many_scores_are_held(mask_seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = ProtocolConfig(mask_seen=mask_seen)
    states, items, targets, seen = ranked()
    wanted = evaluate.rank_scores((states @ items.T).numpy(), targets, seen.pairs(), protocol, (0, targets, 0))
    for held in (on.SCORES, 4 * (ITEMS + 1), 1):
        monkeypatch.setattr(on, "SCORES", held)
        found, sound = at("cpu").rank_states(states, items, targets, seen, protocol)
        assert np.array_equal(found, wanted, equal_nan=True)
        assert sound.tolist() == [n != 3 for n in range(PHONES)]
    assert (wanted[4] == ITEMS + 1) == mask_seen


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
@pytest.mark.parametrize("kind", ["plan", "shared"])
def test_a_pass_mixes_no_devices(config: BackboneConfig, kind: str) -> None:
    states = at("meta").states_there(*phones(config, kind))
    assert states.shape == (PHONES, config.dim) and states.device.type == "meta"
    with pytest.raises(RuntimeError, match="device"):
        states + torch.zeros(PHONES, config.dim)  # what mixing two says


def test_ranks_mix_no_devices_and_stay_there() -> None:
    states, items, targets, seen = ranked()
    rank, sound = at("meta")._ranked(states, items, torch.from_numpy(targets), seen, mask_seen=True)
    assert (rank.device.type, sound.device.type, rank.shape) == ("meta", "meta", (PHONES,))


def test_tables_are_moved_once_and_forgotten_with_what_they_copy() -> None:
    there, given = at("meta"), torch.zeros(3)
    assert there._kept(given) is there._kept(given) and there._kept(given).device.type == "meta"
    other = torch.zeros(3)
    assert there._kept(other) is not there._kept(given) and len(there.held) == 2
    del other
    assert len(there.held) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_where_there_is_none_a_run_is_refused_in_one_line(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"--set={word}" for word in tiny("engine.device=cuda", methods=("fp32",))]
    assert main(["run", "offline", "--out", str(tmp_path / "run"), *words]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if "engine.device" in line]
    assert len(told) == 1 and 'engine.device = "cuda" cannot be had here' in told[0] and 'use "cpu"' in told[0]


def test_workers_of_ray_are_refused_a_gpu_that_they_would_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on, "obstacle", lambda asked: "")
    with pytest.raises(ScenarioError, match=r"in process: use engine\.kind"):
        as_played(Scenario(engine=EngineConfig(kind="ray", device="cuda")))


@pytest.mark.cuda
@pytest.mark.skipif(bool(on.obstacle("cuda")), reason=f"no CUDA here: {on.obstacle('cuda')}")
def test_a_run_on_a_gpu_has_the_codes_bytes_and_nearly_all_ranks_of_one_without(tiny: Tiny, tmp_path: Path) -> None:
    here, there = (
        chordsim.run(
            "offline", overrides=tiny(f"engine.device={device}", methods=("chord-plus", "fp32")), out=tmp_path / device, report=False
        )
        for device in ("cpu", "cuda")
    )
    moved = {column for column in here.ledger if not here.ledger[column].equals(there.ledger[column])}
    assert moved <= {"rank", "ndcg_10", "hr_10", "mrr"}
    assert (here.ledger["rank"].fillna(0) - there.ledger["rank"].fillna(0)).abs().max() <= 1
    assert there.manifest["numerics"]["device"].startswith("cuda ")
