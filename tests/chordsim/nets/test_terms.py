"""Loss terms equal naive loops, reach what they should train and nothing else, and change what a plan's training ends in."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import chordsim
from chordsim.api import RunResult
from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError
from chordsim.nets import terms
from chordsim.nets.frozen import draw, fingerprint
from chordsim.nets.shapes import shapes_of


def test_divergence_and_preference_equal_naive_loops() -> None:
    made = torch.Generator().manual_seed(3)
    own, other = (torch.randn(5, 7, generator=made, dtype=torch.float64).log_softmax(1) for _ in range(2))
    targets = torch.tensor([1, 7, 3, 3, 2])
    naive = sum(math.exp(p) * (p - q) for i in range(5) for q, p in zip(own[i].tolist(), other[i].tolist(), strict=True)) / 5
    assert terms.divergence(own, other).item() == pytest.approx(naive)
    wanted = sum(math.log1p(math.exp(other[i, t - 1] - own[i, t - 1])) for i, t in enumerate(targets.tolist())) / 5
    assert terms.preference(own, other, targets).item() == pytest.approx(wanted)


def test_places_have_targets_and_are_no_more_than_asked_for() -> None:
    targets = torch.tensor([[0, 0, 4, 5], [0, 2, 1, 1]])
    for most in (1, 3, 5, 50):
        places = terms.some_places(targets, most, torch.Generator().manual_seed(most))
        assert places.numel() == min(most, 5) == places.unique().numel() and bool((targets.reshape(-1)[places] > 0).all())


def test_signed_weights_are_one_size_with_the_variance_of_gaussian_ones_and_their_signs() -> None:
    layers = shapes_of(BackboneConfig(), 50).layers
    normal, signed = draw(layers, 4), draw(layers, 4, "signed")
    for layer, plain, constant in zip(layers, normal, signed, strict=True):
        assert constant.abs().unique().numel() == 1
        assert constant.abs().max().item() ** 2 == pytest.approx(layer.gain / layer.fan_in)
        assert bool(((plain < 0) == (constant < 0)).all())
    assert fingerprint(normal) != fingerprint(signed)


STEPS = 'gains=true gains_of="code" widths=[0,2,2,2]'
SETTINGS = ('law="signed"', "gains=true", STEPS, "group=4", 'start="reference"', "distil_weight=0.5", "contrast_weight=0.5")


METHODS = ("fp32", "chord-plus")
PROFILE = "settings.chord-plus.profile_dim=8"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, tiny_overrides: Callable[..., list[str]]) -> RunResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        return chordsim.run("offline", overrides=tiny_overrides(PROFILE, methods=METHODS), out=tmp_path_factory.mktemp("plain") / "run")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_changes_training_and_its_plans_are_played(
    setting: str, plain: RunResult, tiny: Callable[..., list[str]], tmp_path: Path
) -> None:
    given = tiny(PROFILE, *(f"settings.chord-plus.{one}" for one in setting.split()), methods=METHODS)
    changed = chordsim.run("offline", overrides=given, out=tmp_path / "set", report=False)
    assert changed.manifest["status"] == "complete"
    rows = changed.ledger[changed.ledger.method == "chord-plus"]
    assert (rows.outcome == "served").any() and bool((rows[rows.outcome == "served"].bits_mean <= 2.0).all())
    assert plain.manifest["ledger_sha256"] != changed.manifest["ledger_sha256"]
    # The reference is not touched.
    same = [run.ledger[run.ledger.method == "fp32"].reset_index(drop=True) for run in (plain, changed)]
    assert same[0]["rank"].equals(same[1]["rank"])


@pytest.mark.parametrize("start", ['settings.chord-plus.start="reference"', 'backbone.init="trained"'])
def test_groups_leave_the_reference_that_they_train_to_methods_without_groups(
    start: str, tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = []
    for name, order in (("groups first", ("chord-plus", "fp32")), ("alone", ("fp32",))):
        monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / f"{name} cache"))
        groups = ("settings.chord-plus.profile_dim=8", "settings.chord-plus.group=4", start) if "chord-plus" in order else ()
        run = chordsim.run("offline", overrides=tiny(*groups, methods=order), out=tmp_path / name)
        ranks.append(run.ledger[run.ledger.method == "fp32"].reset_index(drop=True)["rank"])
    assert len(ranks[0]) > 0 and ranks[0].equals(ranks[1])


def test_the_other_plan_gets_no_gradient_and_the_own_plan_does() -> None:
    own = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), requires_grad=True)
    with torch.no_grad():
        other = own.roll(1, 0).log_softmax(1)
    terms.preference(own.log_softmax(1), other, torch.tensor([1, 2, 3, 4])).backward()
    assert own.grad is not None and bool((own.grad.gather(1, torch.arange(4)[:, None]) < 0).all())


@pytest.mark.parametrize("setting", ['law="signd"', 'start="refrence"', "distil_weight=-1", "contrast_weight=nan"])
def test_values_that_make_no_sense_are_refused(setting: str) -> None:
    with pytest.raises(ScenarioError, match=setting.partition("=")[0]):
        chordsim.run("offline", overrides=['methods=["chord-plus"]', f"settings.chord-plus.{setting}"])
