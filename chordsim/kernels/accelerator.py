"""Forward passes and ranks on an accelerator: tables stay there, a chunk's histories and codes go there, states and ranks come back.

The code is the reference's, told where its tensors lie; with the processor as the device it gives the reference's results, bit for bit.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from chordsim.arrays import Bools, Floats, Ints
from chordsim.config.model import BackboneConfig, ProtocolConfig
from chordsim.data.history import Spans
from chordsim.errors import ScenarioError
from chordsim.nets import backbone
from chordsim.nets.choice import Choice, Weight

CPU, CUDA = "cpu", "cuda"
#: Scores that are held at a time.
SCORES = 1 << 27


def obstacle(asked: str) -> str:
    """Return why a device cannot be had here; empty where it can."""
    if asked == CPU or torch.cuda.is_available():
        return ""
    return "no GPU is found" if torch.version.cuda else f"torch {torch.__version__} is built without CUDA"


def placed(asked: str) -> torch.device:
    """Return the device of a value of `engine.device`.

    Raises:
        ScenarioError: It cannot be had.
    """
    why = obstacle(asked)
    if why:
        raise ScenarioError(f'engine.device = "{asked}" cannot be had here: {why}; use "{CPU}"')
    return torch.device(asked)


def named(asked: str) -> str:
    """Return what a device is called in a manifest: results are the same on one kind of it."""
    return asked if asked == CPU or obstacle(asked) else f"{asked} {torch.cuda.get_device_name()}"


@dataclass(frozen=True)
class Accelerator:
    """The inner loops of a round on one device.

    Attributes:
        device: Where.
        held: What stays there, by what it is a copy of.
    """

    device: torch.device
    held: MutableMapping[Any, Tensor]

    def last_states(
        self,
        items: Tensor,
        item_table: Tensor,
        position_table: Tensor,
        weights: Sequence[Weight],
        config: BackboneConfig,
        user: Tensor | None = None,
    ) -> Tensor:
        """Return the state [D, d] that ranks the next item, as `chordsim.nets.backbone.last_states` does, all phones at once."""
        return self.states_there(items, item_table, position_table, weights, config, user).cpu()

    def states_there(
        self,
        items: Tensor,
        item_table: Tensor,
        position_table: Tensor,
        weights: Sequence[Weight],
        config: BackboneConfig,
        user: Tensor | None = None,
    ) -> Tensor:
        """Return the same where it was computed."""
        there = [self._weight(weight) for weight in weights]
        histories, tables = items.to(self.device), (self._kept(item_table), self._kept(position_table))
        return backbone.last_states(histories, *tables, there, config, None if user is None else user.to(self.device))

    def rank_states(self, states: Tensor, table: Tensor, targets: Ints, seen: Spans, protocol: ProtocolConfig) -> tuple[Floats, Bools]:
        """Return the rank of each target among all items, as `chordsim.evaluate.rank_scores` does, and whether all scores are numbers.

        Args:
            states: [D, d] float32.
            table: Item embeddings [n_items + 1, d] float32; the first is padding.
            targets: Item ids [D].
            seen: What each user had before.
            protocol: Whether seen items are masked; what is ranked is ``all``.
        """
        rows = max(SCORES // len(table), 1)
        parts = []
        for at in range(0, len(states), rows):
            some = slice(at, at + rows)
            spans = Spans(seen.items, seen.starts[some], seen.ends[some])
            parts.append(self._ranked(states[some], table, torch.from_numpy(targets[some]), spans, protocol.mask_seen))
        rank, sound = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
        return rank, sound

    def _ranked(self, states: Tensor, table: Tensor, targets: Tensor, seen: Spans, mask_seen: bool) -> tuple[Tensor, Tensor]:
        scores, wanted_item = states.to(self.device) @ self._kept(table).T, targets.to(self.device)[:, None]
        wanted = scores.gather(1, wanted_item)
        sound = ~torch.isnan(scores.sum(1))
        scores[:, 0] = -torch.inf
        if mask_seen:
            scores[self._pairs(seen)] = -torch.inf
        missed = torch.isneginf(scores.gather(1, wanted_item)) & mask_seen
        above, equal = (scores > wanted).sum(1), (scores == wanted).sum(1) - 1
        rank = 1.0 + above + 0.5 * equal.clamp_min(0).double()
        rank = torch.where(missed[:, 0], float(len(table)), rank)
        return torch.where(torch.isfinite(wanted[:, 0]), rank, torch.nan), sound

    def _pairs(self, seen: Spans) -> tuple[Tensor, Tensor]:
        """Return the index pairs (row, item) of what each user had before; the users' logs stay on the device."""
        total = int((seen.ends - seen.starts).sum())
        starts, ends = (torch.from_numpy(part).to(self.device) for part in (seen.starts, seen.ends))
        lengths = ends - starts
        row = torch.repeat_interleave(torch.arange(len(lengths), device=self.device), lengths, output_size=total)
        place = torch.arange(total, device=self.device) + (starts - lengths.cumsum(0) + lengths)[row]
        return row, self._kept(seen.items)[place].long()

    def _weight(self, weight: Weight) -> Weight:
        if isinstance(weight, Choice):
            return Choice(self._kept(weight.rows), weight.codes.to(self.device).long())
        return self._kept(weight) if weight.ndim == 2 else weight.to(self.device)

    def _kept(self, given: Any) -> Tensor:
        """Return what was given, a tensor or an array that does not change, on the device."""
        found = self.held.get(given)
        if found is None:
            found = self.held[given] = torch.as_tensor(given).to(self.device)
        return found


@lru_cache(maxsize=2)
def accelerator(asked: str) -> Accelerator:
    """Return the loops of a device.

    Raises:
        ScenarioError: It cannot be had.
    """
    return Accelerator(placed(asked), WeakIdKeyDictionary())
