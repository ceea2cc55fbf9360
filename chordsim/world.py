"""The world that a scenario describes: whose interactions, which phones, which methods; the same on both sides."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from threading import Lock

import numpy as np

from chordsim import evaluate, methods
from chordsim.arrays import Columns, Ints
from chordsim.config.model import Scenario
from chordsim.data import facts
from chordsim.data.load import load as load_data
from chordsim.data.retriever import Lists, Retriever
from chordsim.data.split import Split, TrainLogs
from chordsim.errors import RunError, ScenarioError
from chordsim.kernels.choose import resolve
from chordsim.nets import footprint
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.population.generate import Pace, Population
from chordsim.population.latency import ModelSize, shape_text
from chordsim.progress import Progress, Silent
from chordsim.scenario.load import parse

#: Phones of a round from which two chunks are sooner done than one, and chunks below which one more is a new turn for everybody.
_WORTH_TWO, _FEW = 32, 8
#: Name of the column in which a call brings lists.
LISTED = "listed"


@dataclass
class Listing:
    """Who lists candidates in this process, and for how long it did.

    Attributes:
        model: The lists of a model; None before it is trained, and on phones.
        seconds: Spent on lists, whoever makes them.
    """

    model: Lists | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class World:
    """A scenario with its data loaded.

    Attributes:
        scenario: The resolved scenario.
        split: Histories and targets by user and round.
        population: Phones, and whose they are.
        specs: Methods by name, in the scenario's order.
        listing: Who lists candidates.
    """

    scenario: Scenario
    split: Split
    population: Population
    specs: Mapping[str, methods.MethodSpec]
    listing: Listing = field(default_factory=Listing, compare=False)
    _keys: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.split.log.n_items

    @cached_property
    def shapes(self) -> Shapes:
        """Shapes of the backbone over this catalogue."""
        return shapes_of(self.scenario.backbone, self.n_items, ranked_of(self.scenario))

    @cached_property
    def logs(self) -> TrainLogs:
        """What the cloud may see."""
        return self.split.train_logs()

    @cached_property
    def popularity(self) -> Ints:
        """How often each item occurs in the cloud's logs, [n_items + 1]."""
        return self.logs.popularity

    @cached_property
    def _counts(self) -> Retriever:
        protocol = self.scenario.protocol
        return Retriever(self.logs, self.split.log.n_users, protocol.list_length, repeat=not protocol.mask_seen)

    def candidates(self, user_ids: Ints) -> Ints | None:
        """Return what the protocol ranks for each user, item ids [D, n]; None where it ranks all items or sampled ones."""
        return self.listed(user_ids) if self.scenario.protocol.ranking == "candidates" else None

    def listed(self, user_ids: Ints) -> Ints:
        """Return what the cloud lists for each user, whatever is ranked, item ids [D, n].

        Raises:
            RunError: A model lists, and this process has not trained it.
        """
        lists = self._counts if self.scenario.protocol.retriever == "counts" else self.listing.model
        if lists is None:
            raise RunError("the lists of a model are made where it was trained, and come with the call")
        began = time.monotonic()
        listed = lists.listed(user_ids)
        self.listing.seconds += time.monotonic() - began
        return listed

    def told(self, user_ids: Ints) -> Columns:
        """Return the column of lists that a call must bring, int32 [D, n]: those of a model, which the server alone has; else none."""
        listed = self.candidates(user_ids) if self.scenario.protocol.retriever == "model" else None
        return {} if listed is None else {LISTED: listed.astype(np.int32)}

    @cached_property
    def digest(self) -> str:
        """Hash of the interactions, by which a worker knows that it loaded what the server loaded."""
        return self.split.digest()

    def source(self) -> dict[str, object]:
        """Return where the interactions came from, for the manifest."""
        return {**asdict(self.split.log.source), "digest": self.digest}

    @property
    def chunk_size(self) -> int:
        """Rows of a chunk: `engine.chunk_size` at most, and as even as the phones of a round go, so that few rows are padding.

        A function of the scenario and its data alone. A few chunks are an even number of them, for two processors.
        """
        asked, most = self.population.selected, self.scenario.engine.chunk_size
        chunks = -(-asked // most)
        if asked >= _WORTH_TWO and chunks < _FEW:
            chunks += chunks % 2
        return -(-asked // chunks)

    @property
    def kernel(self) -> str:
        """What runs the inner loops here."""
        return resolve(self.scenario.engine.kernel)

    def context_key(self, method: str) -> str:
        """Return what tells the context of a method from others, which is written once."""
        held = self._keys.get(method)
        if held is None:
            held = self._keys[method] = repr(self.context(method))
        return held

    def context(self, method: str) -> methods.MethodContext:
        """Return what the halves of a method may know."""
        s = self.scenario
        settings = {**self.specs[method].defaults, **s.settings.get(method, {})}
        how = (self.kernel, s.engine.share_equal, s.engine.device)
        return methods.MethodContext(
            method, settings, s.backbone, s.training, self.n_items, s.seed, ranked_of(s), *how, lists_of(s), not s.protocol.mask_seen
        )


def ranked_of(scenario: Scenario) -> int:
    """Return how many items a request scores: the list where the catalogue stays in the cloud, else 0 for all."""
    return scenario.protocol.list_length if scenario.backbone.items == "cached" else 0


def lists_of(scenario: Scenario) -> methods.ListForm | None:
    """Return which lists the protocol ranks; None where it ranks all items or sampled ones."""
    protocol, (backbone, training) = scenario.protocol, scenario.lister
    if protocol.ranking != "candidates":
        return None
    own = (backbone if backbone != scenario.backbone else None, training if training != scenario.training else None)
    return methods.ListForm(protocol.retriever, protocol.list_length, not protocol.mask_seen, *own)


def specs_of(scenario: Scenario) -> dict[str, methods.MethodSpec]:
    """Return the methods of a scenario by name, as they play in it."""
    found = {name: methods.find(name).as_set(scenario.settings.get(name, {})) for name in scenario.methods}
    return found if scenario.backbone.items == "owned" else {name: spec.where_cached() for name, spec in found.items()}


def pace_of(scenario: Scenario) -> Pace:
    """Return how much a scenario asks of its phones."""
    clock = scenario.clock
    return Pace(scenario.rounds.requests_per_round, 24 / clock.round_every_h, clock.over_select)


def size_of(shapes: Shapes) -> ModelSize:
    """Return the model that phones run, as tables of measured latency know it."""
    name = shape_text(shapes.backbone, shapes.n_items)
    return ModelSize(name, footprint.dense_macs(shapes), footprint.adapt_macs(shapes))


def build(scenario: Scenario, progress: Progress | None = None) -> World:
    """Load data and phones.

    Raises:
        DataError: The data cannot be had or read.
        ScenarioError: An unknown method.
    """
    specs = specs_of(scenario)
    _, split = load_data(scenario.data, scenario.rounds.count, scenario.seed, progress or Silent())
    if scenario.protocol.metrics != "none":
        split = facts.masked(split, scenario.protocol.mask_seen)
    ranking, listed = scenario.protocol.ranking, scenario.protocol.candidates
    least = {"sampled-100": evaluate.NEGATIVES, "candidates": listed}.get(ranking, 0)
    if split.log.n_items <= least:
        few = f"the catalogue has {split.log.n_items}"
        right = 'use "all"' if ranking != "candidates" else f"lower protocol.candidates = {listed}, or set it to 0 for as many as there are"
        raise ScenarioError(f'protocol.ranking = "{ranking}" needs more than {least} items, and {few}: {right}')
    shapes = shapes_of(scenario.backbone, split.log.n_items, ranked_of(scenario))
    peak, model, activity = footprint.dense_peak_bytes(shapes), size_of(shapes), split.log.lengths
    users, pace = split.log.n_users, pace_of(scenario)
    population = Population(scenario.population, scenario.seed, users, peak, pace=pace, activity=activity, model=model)
    return World(scenario, split, population, specs)


_LOADED: OrderedDict[str, World] = OrderedDict()
_KEPT = 2
_LOADING = Lock()


def fresh(resolved: str, progress: Progress | None = None) -> World:
    """Load the world of a resolved scenario's text anew, as a run does when it begins: its files may have changed."""
    with _LOADING:
        return _load(resolved, progress)


def of_text(resolved: str, digest: str = "") -> World:
    """Return the world of a resolved scenario's text, loaded once per process whatever threads ask for it.

    Args:
        resolved: The scenario.
        digest: `World.digest` of the one who asks; "" takes any data.

    Raises:
        RunError: The data that are found here are not those of the one who asks.
    """
    with _LOADING:
        held = _LOADED.get(resolved)
        if held is None or (digest and held.digest != digest):
            held = _load(resolved, None)
        if digest and held.digest != digest:
            raise RunError(f"data {held.split.log.source.line()!r} differ from those of the server: {held.digest[:12]}, not {digest[:12]}")
        _LOADED.move_to_end(resolved)
        return held


def _load(resolved: str, progress: Progress | None) -> World:
    _LOADED[resolved] = build(parse(resolved), progress)
    _LOADED.move_to_end(resolved)
    while len(_LOADED) > _KEPT:
        _LOADED.popitem(last=False)
    return _LOADED[resolved]
