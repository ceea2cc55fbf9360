"""Training of the full-precision reference: one state that several methods start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import MethodContext
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.progress import Progress
from server.training import cache
from server.training.fit import fit

TITLE = "fp32"


def recipe(base: dict[str, Any]) -> dict[str, Any]:
    """Return what the state depends on; how the frozen backbone starts is not part of it."""
    backbone = {k: v for k, v in base["backbone"].items() if k != "init"}
    return {**base, "backbone": backbone, "trainer": "dense"}


def weights(shapes: Shapes, state: State) -> list[Any]:
    """Return the trained weights per layer, [C, K]."""
    return [state[f"weights.{n}"] for n in range(len(shapes.layers))]


@dataclass(frozen=True)
class Reference:
    """The reference as something that the cache can train or find, the same for whoever asks.

    Attributes:
        context: The run; the method's own settings do not matter.
        base: What `server.half.Cloud.recipe` returns.
    """

    context: MethodContext
    base: dict[str, Any]

    def recipe(self) -> dict[str, Any]:
        """Return what the state depends on."""
        return recipe(self.base)

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train the backbone at full precision, its channels whole."""
        c = self.context
        model = Dense(shapes_of(c.backbone, c.n_items, c.ranked), c.seed, c.training.start_std)
        return fit(model, logs, c.training, c.backbone.max_len, c.seed, TITLE, progress)


def cached(context: MethodContext, base: dict[str, Any], logs: TrainLogs, progress: Progress) -> State:
    """Return the reference from the cache, trained where it is not there yet: the start of methods that tune it.

    It has the backbone's whole channels, however the method that asks for it cuts them.

    Args:
        context: The run.
        base: What `server.half.Cloud.recipe` returns.
        logs: What the cloud may see.
        progress: Where training reports to.
    """
    return cache.trained(Reference(context, base), logs, progress)[0]


def without_notes(state: State) -> State:
    """Return the state without its notes on training, as `load_state_dict` wants it."""
    return {name: value for name, value in state.items() if not name.startswith("trained.")}
