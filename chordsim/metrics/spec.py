"""What a metric is: a light spec with a pure function of ranks, lists, users and item counts, which entry points find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from chordsim.arrays import Floats, Ints
from chordsim.config.model import ProtocolConfig
from chordsim.errors import ScenarioError
from chordsim.plug_ins import registered, spec_of

GROUP = "chordsim.metrics"
Needs = Literal["ranks", "lists"]


@dataclass(frozen=True)
class Ranked:
    """What one method showed in some device-rounds, D rows.

    Attributes:
        rank: Rank of the target from 1, halves for ties, ``n_items + 1`` for a miss; NaN where the model did not rank, [D].
        lists: The items that the phone ranked first, [D, k], 0 pads; all 0 where the model did not rank. Of a metric at cuts the
            first ``cut``, of one that needs no lists none, [D, 0].
        users: Whose rows these are, [D].
        item_counts: How often each item occurs in the cloud's logs, [n_items + 1]; place 0 is padding.
        cut: How many places count.
    """

    rank: Floats
    lists: Ints
    users: Ints
    item_counts: Ints
    cut: int

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.item_counts.size - 1


@dataclass(frozen=True)
class MetricSpec:
    """A metric as a scenario sees it. Read wherever a scenario is, so it must not import torch.

    Attributes:
        name: Its name in ``protocol.metrics_of`` and in the summary.
        summary: One line for a person.
        function: Returns one number for each row of a `Ranked`, [D], NaN for none; where the metric is of the ``whole``, one number
            for all rows together, [1].
        needs: What it is made of: ranks, or lists, which a run keeps with ``protocol.keep_lists``.
        better: Whether a larger or a smaller number is better; "neither" where that is a matter of taste.
        at_cuts: Whether it is taken at each of ``protocol.cuts``, as ``NAME_k``.
        whole: Whether it is of all lists together, such as a share of the catalogue. Others are means: of each user over rounds
            first, over users second, with an interval.
    """

    name: str
    summary: str
    function: Callable[[Ranked], Floats]
    needs: Needs = "ranks"
    better: Literal["larger", "smaller", "neither"] = "larger"
    at_cuts: bool = False
    whole: bool = False

    def labels(self, cuts: Sequence[int]) -> dict[str, int]:
        """Return the metric's names in a summary, each with its cut; one name without a cut where it has none."""
        return {f"{self.name}_{cut}": cut for cut in cuts} if self.at_cuts else {self.name: 0}


def known() -> dict[str, str]:
    """Return registered metrics and the object path of each."""
    return registered(GROUP)


def find(name: str) -> MetricSpec:
    """Return the spec of a metric.

    Raises:
        ScenarioError: No entry point of that name, or it leads to something else or nowhere.
    """
    return spec_of(GROUP, name, MetricSpec, "protocol.metrics_of")


def asked_for(protocol: ProtocolConfig) -> tuple[MetricSpec, ...]:
    """Return the metrics that a scenario asks for: those it names, and ``hr`` and ``ndcg`` where its cuts are not the ledger's own.

    Raises:
        ScenarioError: An unknown metric, one that stands twice, or one whose lists are not kept.
    """
    names = list(protocol.metrics_of)
    if len(set(names)) < len(names):
        raise ScenarioError("protocol.metrics_of: a name stands twice")
    if protocol.metrics == "all" and protocol.cuts != type(protocol).model_fields["cuts"].default:
        names = [name for name in ("hr", "ndcg") if name not in names] + names
    specs = tuple(map(find, names))
    for spec in specs:
        need_lists(spec, protocol)
    return specs


def need_lists(spec: MetricSpec, protocol: ProtocolConfig) -> None:
    """Make sure that a run keeps the lists that a metric is made of.

    Raises:
        ScenarioError: It does not, or too short ones.
    """
    least = 0 if spec.needs != "lists" else protocol.cuts[-1] if spec.at_cuts else 1
    if protocol.keep_lists < least:
        raise ScenarioError(f"protocol.keep_lists = {protocol.keep_lists}: {spec.name!r} is made of lists, and needs at least {least}")
