"""Trained states are found again where nothing that they depend on has changed, and trained anew where anything has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.api import run
from chordsim.cli.run import notes
from chordsim.data.split import TrainLogs
from chordsim.errors import UserError
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.world import World, build
from server.training import cache


class Counting:
    """A cloud half that counts how often it is trained."""

    def __init__(self, recipe: dict[str, object]) -> None:
        self.given, self.trained = recipe, 0

    def recipe(self) -> dict[str, object]:
        return self.given

    def train(self, logs: TrainLogs, progress: object) -> dict[str, torch.Tensor]:
        self.trained += 1
        return {"w": torch.arange(6.0).view(2, 3).T, "n": torch.tensor(3)}


@pytest.fixture
def own_cache(tmp_path: Path, logs: TrainLogs, monkeypatch: pytest.MonkeyPatch) -> Path:
    # After the logs, whose fixture points at the session's cache.
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def world(tiny: Callable[..., list[str]]) -> Callable[..., World]:
    return lambda *more, methods=("fp32", "chord-plus"): build(load("offline", tiny(*more, methods=methods)))


@pytest.fixture
def logs(world: Callable[..., World]) -> TrainLogs:
    return world().logs


def half_of(made: World, name: str) -> methods.CloudHalf:
    return methods.load(made.specs[name].cloud)(made.context(name))  # type: ignore[no-any-return]


def key_of(made: World, name: str) -> str:
    return cache.key(cache.trainee(half_of(made, name)), made.logs)


def test_a_state_is_trained_once_and_comes_back_bit_for_bit(own_cache: Path, logs: TrainLogs) -> None:
    half = Counting({"a": 1})
    first, again = cache.trained(half, logs, Silent()), cache.trained(half, logs, Silent())
    assert (first[1], again[1], half.trained) == (False, True, 1)
    assert all(torch.equal(first[0][name], again[0][name]) for name in first[0])
    assert cache.trained(Counting({"a": 2}), logs, Silent())[1] is False


@pytest.mark.parametrize("size", [0, 1, 8, 60, -1])
def test_a_cut_file_is_trained_and_written_anew(own_cache: Path, logs: TrainLogs, size: int) -> None:
    half = Counting({"a": 1})
    cache.trained(half, logs, Silent())
    (file,) = (own_cache / "models").iterdir()
    file.write_bytes(file.read_bytes()[:size])
    state, found = cache.trained(half, logs, Silent())
    assert not found and half.trained == 2 and torch.equal(state["w"], torch.arange(6.0).view(2, 3).T)
    assert cache.trained(half, logs, Silent())[1]


def test_a_folder_that_cannot_be_written_is_told_before_training(tmp_path: Path, logs: TrainLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / "file"))
    half = Counting({"a": 1})
    with pytest.raises(UserError, match="CHORDSIM_CACHE"):
        cache.trained(half, logs, Silent())
    assert half.trained == 0


def test_shipped_models_of_every_width_share_one_training(world: Callable[..., World]) -> None:
    made = world(methods=("fp32", "uniform-2", "uniform-8", "cloud-only"))
    assert len({key_of(made, name) for name in made.specs}) == 1


def test_plans_of_different_methods_share_nothing(world: Callable[..., World]) -> None:
    made = world(methods=("fp32", "chord", "chord-plus", "chord-shared"))
    assert len({key_of(made, name) for name in made.specs}) == 4
    # The same settings under another name: draws depend on the name, so the state may not be shared.
    twins = world("settings.chord-shared.planner='personal'", methods=("chord-plus", "chord-shared"))
    assert len({key_of(twins, name) for name in twins.specs}) == 2


@pytest.mark.parametrize(
    "change",
    [
        "seed=2",
        "training.lr=0.001",
        "training.max_steps=6",
        "training.threads=2",
        "training.dropout=0.1",
        "backbone.ffn_dim=32",
        "backbone.embedding_bits=8",
        "data.synthetic.noise=0.3",
        "data.cloud_share=0.5",
        "rounds.count=1",
    ],
)
def test_what_training_depends_on_changes_the_key(world: Callable[..., World], change: str) -> None:
    before, after = world(), world(change)
    for name in ("fp32", "chord-plus"):
        assert key_of(before, name) != key_of(after, name), name


@pytest.mark.parametrize(
    "change", ["settings.chord-plus.mask_keep=0.6", "settings.chord-plus.train_bits=[1.0]", "settings.chord-plus.horizon=3"]
)
def test_a_plans_settings_change_its_key_alone(world: Callable[..., World], change: str) -> None:
    before, after = world(), world(change)
    assert key_of(before, "chord-plus") != key_of(after, "chord-plus")
    assert key_of(before, "fp32") == key_of(after, "fp32")


@pytest.mark.parametrize(
    "change",
    [
        "rounds.requests_per_round=3",
        "clock.loss=0.5",
        "population.spread=0.5",
        "population.selected=7",
        "engine.chunk_size=8",
        "protocol.mask_seen=false",
        "settings.chord-plus.bits=1.0",
        "settings.chord-plus.bits=4.0",
    ],
)
def test_phones_links_and_engines_do_not_change_the_key(world: Callable[..., World], change: str) -> None:
    before, after = world(), world(change)
    assert all(key_of(before, name) == key_of(after, name) for name in before.specs)


def test_a_frozen_backbone_that_is_trained_gives_plans_of_their_own(world: Callable[..., World]) -> None:
    before, after = world(), world("backbone.init='trained'")
    assert key_of(before, "chord-plus") != key_of(after, "chord-plus")
    assert key_of(before, "fp32") == key_of(after, "fp32")


def test_one_training_serves_every_budget_and_one_outside_the_trained_range_is_told(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    runs = {}
    for bits in (1.0, 2.0, 4.0):
        overrides = tiny(f"settings.chord-plus.bits={bits}", "seed=77", methods=("chord-plus",))
        runs[bits] = run("offline", overrides=overrides, out=tmp_path / str(bits))
    assert [r.manifest["cloud_models"]["chord-plus"] for r in runs.values()] == [False, True, True]
    assert [r.summary["methods"]["chord-plus"]["bits_mean"] <= bits for bits, r in runs.items()] == [True] * 3
    told = {bits: " ".join(r.manifest["remarks"]) for bits, r in runs.items()}
    assert not told[1.0] and not told[2.0] and "bits = 4" in told[4.0] and "1 to 2" in told[4.0]
    page = (tmp_path / "4.0" / "report.html").read_text()
    assert told[4.0] in page and told[4.0] in notes(runs[4.0])


def test_the_digest_of_logs_sees_every_part() -> None:
    def made(**change: object) -> str:
        parts = {
            "items": np.array([1, 2, 3, 1]),
            "offsets": np.array([0, 2, 4]),
            "n_items": 3,
            "user_ids": np.array([0, 1]),
            "validation_targets": np.array([3, 2]),
        }
        return TrainLogs(**{**parts, **change}).digest()  # type: ignore[arg-type]

    changed = [
        made(),
        made(items=np.array([1, 2, 1, 3])),
        made(offsets=np.array([0, 1, 4])),
        made(n_items=4),
        made(user_ids=np.array([0, 2])),
        made(validation_targets=np.array([3, 1])),
    ]
    assert len(set(changed)) == len(changed) and made() == made()
