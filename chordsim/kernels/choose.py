"""The switch `engine.kernel`: what runs the inner loops, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from chordsim.errors import ScenarioError

if TYPE_CHECKING:
    from torch import Tensor

    from chordsim.arrays import Bools, Floats, Ints
    from chordsim.config.model import BackboneConfig, EngineConfig, ProtocolConfig, Scenario
    from chordsim.data.history import Spans
    from chordsim.nets.choice import Attend
    from chordsim.nets.dropout import Thin
    from chordsim.nets.elements import Weigh
    from chordsim.quant.allocate import Allocation, Costs
    from chordsim.quant.budget import Sums
    from chordsim.quant.straight_through import Product

    LastStates = Callable[..., Tensor]
    Ranking = Callable[[Tensor, Tensor, Ints, Spans, ProtocolConfig], tuple[Floats, Bools]]

TORCH, NATIVE = "torch", "native"
#: The key of what trains. It is no part of `engine`: which models there are does not hang on what plays them.
TRAINING = "training.kernel"


@lru_cache(maxsize=1)
def obstacle() -> str:
    """Return why loops cannot be compiled here; empty where they can."""
    try:
        from chordsim.kernels.native.vector import fused
    except Exception as error:  # numba refuses versions of python and numpy with errors of its own
        return f"numba cannot be loaded ({type(error).__name__}: {error})"
    return "" if fused() else "this processor does not multiply and add in one step"


def resolve(asked: str, key: str = "engine.kernel") -> str:
    """Return ``torch`` or ``native`` for a value of `engine.kernel`, or of another key.

    Raises:
        ScenarioError: ``native`` is asked for and cannot be had.
    """
    if asked == NATIVE and obstacle():
        raise ScenarioError(f'{key} = "native" cannot be had here: {obstacle()}; use "auto" or "torch"')
    return TORCH if asked == TORCH or obstacle() else NATIVE


def as_played(scenario: Scenario) -> Scenario:
    """Return a scenario with the kernels that it trains and is played with here, which its run records: none where nothing is ranked.

    Raises:
        ScenarioError: ``native`` or ``cuda`` is asked for and cannot be had.
    """
    if scenario.protocol.metrics == "none":
        played = trained = TORCH
    else:
        _check(scenario.engine)
        played, trained = resolve(scenario.engine.kernel), resolve(scenario.training.kernel, TRAINING)
    engine = scenario.engine.model_copy(update={"kernel": played})
    return scenario.model_copy(update={"engine": engine, "training": scenario.training.model_copy(update={"kernel": trained})})


def _check(engine: EngineConfig) -> None:
    """Refuse a device that cannot be had, here or in Ray's workers, which see no GPU.

    Raises:
        ScenarioError: With what would be right.
    """
    if engine.device == "cpu":
        return
    from chordsim.kernels.accelerator import placed

    placed(engine.device)
    if engine.kind != "inprocess":
        raise ScenarioError(f'engine.device = "{engine.device}" is played in process: use engine.kind = "inprocess"')


def told(asked: str, backbone: BackboneConfig, device: str = "cpu") -> str:
    """Return what runs what for a value of `engine.kernel`, in words: which kernel it is, why it is torch, and what stays with torch."""
    if device != "cpu":
        from chordsim.kernels.accelerator import named

        return f"{resolve(asked)} on the CPU, {named(device)} for forward passes and ranks; training stays on the CPU"
    if asked == TORCH:
        return "torch, as the scenario asks"
    if obstacle():
        return f"torch, which takes several times as long: {obstacle()}"
    left = "" if kernels(NATIVE).compiles(backbone) else f"; the forward pass of {backbone.kind} stays with torch"
    return f"native, compiled by numba{left}"


@dataclass(frozen=True)
class Kernels:
    """The inner loops of a round and of training, of one kind.

    Attributes:
        name: ``torch`` or ``native``.
        allocate: `chordsim.quant.allocate.allocate`, or what gives the same.
        last_states: `chordsim.nets.backbone.last_states`, or what gives the same up to the order of sums; codes of a plan may be bytes.
        channel_sums: `chordsim.quant.budget.channel_sums`, or what gives the same.
        weigh: `chordsim.nets.elements.weighed`, or what gives the same up to the order of sums.
        product: `chordsim.quant.straight_through.product`, what training multiplies with, or what gives the same up to the order of sums.
        attend: What gives the same as `chordsim.nets.sasrec.attend`, up to the order of sums; None for that itself.
        thin: `chordsim.nets.dropout.thinned`, or what gives the same.
        rank_states: What counts ranks as scores come (`chordsim.kernels.ranking.rank_states`); None where scores are made.
        device: Where forward passes and ranks are computed.
    """

    name: str
    allocate: Callable[[Tensor, Costs, Tensor, int], Allocation]
    last_states: LastStates
    channel_sums: Sums
    weigh: Weigh
    product: Product
    attend: Attend | None
    thin: Thin
    rank_states: Ranking | None
    device: str = "cpu"

    @property
    def native(self) -> bool:
        """Whether they are compiled."""
        return self.name == NATIVE

    def compiles(self, backbone: BackboneConfig) -> bool:
        """Whether a forward pass takes a chunk whole: compiled, one phone after another, or on a device of its own; others go in blocks."""
        from chordsim.kernels.forward import COMPILED_KINDS

        return self.device != "cpu" or self.native and backbone.kind in COMPILED_KINDS


def training_kernels(asked: str) -> Kernels:
    """Return the loops of a value of `training.kernel`.

    Raises:
        ScenarioError: ``native`` is asked for and cannot be had.
    """
    return kernels(resolve(asked, TRAINING))


def kernels(name: str, device: str = "cpu") -> Kernels:
    """Return the loops of a kernel that was resolved, with forward passes and ranks on a device.

    Raises:
        ScenarioError: The device cannot be had.
    """
    if device != "cpu":
        from chordsim.kernels.accelerator import accelerator

        there = accelerator(device)
        return replace(kernels(name), last_states=there.last_states, rank_states=there.rank_states, device=device)
    if name == NATIVE:
        from chordsim.kernels.allocate import allocate, channel_sums
        from chordsim.kernels.elements import weighed
        from chordsim.kernels.forward import last_states
        from chordsim.kernels.ranking import rank_states
        from chordsim.kernels.teaching import attend, product, thinned

        return Kernels(name, allocate, last_states, channel_sums, weighed, product, attend, thinned, rank_states)
    from chordsim.nets.backbone import last_states
    from chordsim.nets.dropout import thinned
    from chordsim.nets.elements import weighed
    from chordsim.quant.allocate import allocate
    from chordsim.quant.budget import channel_sums
    from chordsim.quant.straight_through import product

    return Kernels(name, allocate, last_states, channel_sums, weighed, product, None, thinned, None)
