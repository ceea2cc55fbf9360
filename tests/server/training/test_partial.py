"""Training that was cut off ends in the bits that an unbroken one ends in, whatever a kill left on disk."""

import os
import time

import pytest
import torch

from chordsim import methods
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import of_text
from server.training import cache, dense, fit, partial, sealed

SMALL = [
    "data.synthetic.users=60",
    "data.synthetic.items=50",
    "backbone.dim=16",
    "backbone.ffn_dim=16",
    "backbone.max_len=8",
    "training.max_steps=7",
    "training.eval_every=2",
    "training.batch=16",
    "training.positions=32",
    "training.patience=9",
]


class Killed(Exception):
    """Stands for the end of the process."""


class CutAt(Silent):
    """Progress that ends training after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def advance(self, count=1, note=""):
        self.left -= count
        if self.left <= 0:
            raise Killed


def world_of(method, *more):
    return of_text(dump(load("offline", [*SMALL, f'methods=["{method}"]', *more])))


def trained(world, method, progress=None):
    half = methods.load(world.specs[method].cloud)(world.context(method))
    return cache.trained(half, world.logs, progress or Silent())


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    states = {}

    def of(world, method):
        if method not in states:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("CHORDSIM_CACHE", str(tmp_path_factory.mktemp("whole")))
                states[method] = trained(world, method)[0]
        return states[method]

    return of


#: Counted, not trained in steps.
COUNTED = ("markov", "popularity", "retriever")
TRAINED = sorted(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim."))
#: Their next step depends on more than parameters.
REMEMBERING = ("otaro", "forward-ofa")


@pytest.mark.parametrize(
    "method",
    [
        name if name in REMEMBERING else pytest.param(name, marks=pytest.mark.slow)
        for name in TRAINED
        if name not in ("fp32", "chord-plus", "diet", *COUNTED)
    ],
)
def test_every_method_that_was_cut_off_ends_in_the_same_bits(method, unbroken, tmp_path, monkeypatch):
    test_training_that_was_cut_off_ends_in_the_same_bits(method, 5, unbroken, tmp_path, monkeypatch)


@pytest.mark.parametrize("method", ["fp32", "chord-plus", "diet"])
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_training_that_was_cut_off_ends_in_the_same_bits(method, cut, unbroken, tmp_path, monkeypatch):
    world = world_of(method)
    want = unbroken(world, method)
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    with pytest.raises(Killed):
        trained(world, method, CutAt(cut))
    kept = list((tmp_path / "models").glob("*.part.safetensors"))
    assert len(kept) == (cut >= 2)
    got, from_cache = trained(world, method)
    assert not from_cache
    assert same(got, want)
    assert not list((tmp_path / "models").glob("*.part.safetensors")), "what is finished needs no checkpoint"
    assert same(trained(world, method)[0], want)


class TwoLoops:
    """A state that takes two loops of training."""

    def __init__(self, world):
        self.cloud = methods.load(world.specs["chord-plus"].cloud)(world.context("chord-plus"))

    def recipe(self):
        return {**self.cloud.recipe(), "trainer": "two loops"}

    def train(self, logs, progress):
        first = dense.Reference(self.cloud.context, self.cloud.recipe()).train(logs, progress)
        return {**self.cloud.train(logs, progress), **{f"first.{name}": value for name, value in first.items()}}


def test_two_loops_of_one_state_keep_apart(tmp_path, monkeypatch):
    world = world_of("chord-plus")
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / "whole"))
    want = cache.trained(TwoLoops(world), world.logs, Silent())[0]
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / "cut"))
    with pytest.raises(Killed):
        cache.trained(TwoLoops(world), world.logs, CutAt(11))  # in the second loop
    assert len(list((tmp_path / "cut" / "models").glob("*.part.safetensors"))) == 2
    assert same(cache.trained(TwoLoops(world), world.logs, Silent())[0], want)


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "foreign"])
def test_damage_is_trained_anew(harm, unbroken, tmp_path, monkeypatch):
    world = world_of("fp32")
    want = unbroken(world, "fp32")
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    with pytest.raises(Killed):
        trained(world, "fp32", CutAt(5))
    for _ in range(2):  # first the checkpoint, then the final state
        (path,) = (tmp_path / "models").glob("*.safetensors")
        data = path.read_bytes()
        middle = len(data) * 3 // 4
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        path.write_bytes({"cut": data[:middle], "flip": flipped, "empty": b"", "foreign": b"PK\x03\x04" * 50}[harm])
        assert sealed.read(path) is None
        got, from_cache = trained(world, "fp32")
        assert not from_cache
        assert same(got, want)


def test_checkpoints_that_nobody_will_go_on_with_are_removed_and_others_left_alone(tmp_path, monkeypatch):
    def made(name, days):
        path = tmp_path / "models" / name
        path.write_bytes(b"x")
        os.utime(path, (time.time() - days * 86_400,) * 2)
        return path

    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    world = world_of("fp32")
    with pytest.raises(Killed):
        trained(world_of("fp32", "seed=9"), "fp32", CutAt(5))
    (ours,) = (tmp_path / "models").glob("*.part.safetensors")
    maker = ours.name.split(".")[2]
    kept = [ours, made(f"a.b.{maker}.part.safetensors", 29), made("a.b.other.part.safetensors", 0.9), made(".c.safetensors.77.part", 0.5)]
    made("done.safetensors", 99)
    gone = [
        made(f"a.c.{maker}.part.safetensors", 31),
        made("a.b.elder.part.safetensors", 1.1),
        made("a.b.part.safetensors", 2),
        made(".d.safetensors.78.part", 2),
        made(f"done.b.{maker}.part.safetensors", 0),
    ]
    trained(world, "fp32")
    assert all(path.exists() for path in kept) and not any(path.exists() for path in gone)
    assert (tmp_path / "models" / "done.safetensors").exists()
    # Found in the cache: tidied too, and a folder that cannot be written is no reason to fail.
    again = made("a.c.elder.part.safetensors", 5)
    assert trained(world, "fp32")[1] and not again.exists()
    stuck = made("a.d.elder.part.safetensors", 5)
    monkeypatch.setattr("pathlib.Path.unlink", _refused)
    assert trained(world, "fp32")[1] and stuck.exists()
    assert partial.FOREIGN_DAYS < partial.KEPT_DAYS


def _refused(path, missing_ok=False):
    raise PermissionError(path)


def test_notes_come_back_as_they_were(tmp_path):
    path = tmp_path / "a.safetensors"
    notes = {"score": 0.1 + 0.2, "counter": [2**64 - 1, 0], "step": 3}
    tensors = {"b": torch.arange(3), "a": torch.tensor(1.5, dtype=torch.float64), "empty": torch.zeros(0, 4)}
    sealed.write(path, tensors, notes)
    got, back = sealed.read(path)
    assert same(got, tensors)
    assert back == notes
    assert sealed.read(tmp_path / "none") is None


CUTTING = (
    "training.eval_every=1",
    "training.patience=1",
    "training.cuts=2",
    "training.max_steps=60",
    "training.average_steps=3",
)


def test_rates_are_cut_from_the_best_state_and_then_training_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    seen = []
    real = fit._set

    def spy(optimiser, rates, cuts):
        real(optimiser, rates, cuts)
        seen.append([group["lr"] / rate for group, rate in zip(optimiser.param_groups, rates, strict=True)])

    monkeypatch.setattr(fit, "_set", spy)
    state, _ = trained(world_of("chord-plus", *CUTTING), "chord-plus")
    assert seen == [[1.0, 1.0], [0.25, 0.25], [0.0625, 0.0625]]
    assert int(state["trained.steps"]) < 60
    none, _ = trained(world_of("chord-plus", *CUTTING, "training.cuts=0"), "chord-plus")
    # Until the first cut both are the same training, so cuts can only add.
    assert int(none["trained.steps"]) < int(state["trained.steps"])
    assert float(none["trained.ndcg_10"]) <= float(state["trained.ndcg_10"])


def test_a_training_that_was_cut_off_after_its_rates_were_cut_goes_on_with_them(tmp_path, monkeypatch):
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / "whole"))
    world = world_of("chord-plus", *CUTTING)
    want, _ = trained(world, "chord-plus")
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / "cut"))
    for steps in range(2, int(want["trained.steps"]), 2):
        with pytest.raises(Killed):
            trained(world, "chord-plus", CutAt(steps))
    got, _ = trained(world, "chord-plus")
    assert same(want, got)
