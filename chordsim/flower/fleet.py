"""The phones behind a grid's nodes: which node is which phone, what each can do, and what it has spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from chordsim.arrays import Bools, Columns, Floats, Ints
from chordsim.config.model import Scenario
from chordsim.errors import ScenarioError
from chordsim.flower.phone_cost import PhoneCost
from chordsim.population.generate import Pace, Population
from chordsim.population.profile import Profiles
from chordsim.round import held


class Fleet:
    """Phones 0 to n - 1 of a scenario's population; a phone's number never changes once a node has it.

    Attributes:
        scenario: As it is written into the run directory: one request a round, whoever the app asks.
        cost: What the app declares to take, None where it declares nothing: then nobody refuses and computing takes no time.
        phones: Phone by node id.
    """

    def __init__(self, scenario: Scenario, cost: PhoneCost | None) -> None:
        """Prepare.

        Args:
            scenario: Its population, clock and seed are used; its data and methods are not.
            cost: What the app takes.
        """
        self.cost = cost
        self.phones: dict[int, int] = {}
        self._most = scenario.population.devices
        # Who is asked is the strategy's choice, and nothing is known of users, so that their activity cannot choose phones.
        people = scenario.population.model_copy(update={"selected": 0, "activity_tier": 0.0})
        rounds = scenario.rounds.model_copy(update={"requests_per_round": 1})
        self.scenario = scenario.model_copy(update={"population": people, "rounds": rounds})
        self._population = self._of(max(self._most, 1))
        self._held: Columns = held.columns_for(self.scenario, max(self._most, 1))

    @property
    def size(self) -> int:
        """How many phones have a node."""
        return len(self.phones)

    @property
    def idle(self) -> int:
        """How many phones of the scenario have no node."""
        return max(self._most - self.size, 0)

    @property
    def tiers(self) -> list[str]:
        """Names of the tiers."""
        return list(self.scenario.population.tiers)

    def resolved(self) -> Scenario:
        """Return the scenario with as many phones as had nodes."""
        people = self.scenario.population.model_copy(update={"devices": self._most or max(self.size, 1)})
        return self.scenario.model_copy(update={"population": people})

    def enrol(self, nodes: Iterable[int], partitions: Mapping[int, int] | None = None) -> None:
        """Give nodes that are new a phone: the next one by ascending node id, or the one of the partition that they hold.

        Raises:
            ScenarioError: More nodes than phones, or two nodes of one partition.
        """
        for node in sorted(set(nodes) - self.phones.keys()):
            phone = self.size if partitions is None else partitions.get(node, -1)
            if self._most and phone >= self._most:
                raise ScenarioError(
                    f"population.devices = {self._most}, but the grid has more nodes: set it to their number, or to 0 for one phone a node"
                )
            if phone < 0 or phone in self.phones.values():
                raise ScenarioError(f"node {node} tells partition {phone}: each node must tell another one, from 0")
            self.phones[node] = phone
        most = max(self.phones.values(), default=-1) + 1
        if not self._most and most > self._population.size:
            self._population = self._of(most)
            fresh = held.columns_for(self.scenario, most)
            for name, column in self._held.items():
                fresh[name][: column.size] = column
            self._held = fresh

    def profiles(self, ids: Ints) -> Profiles:
        """Return the phones with these ids."""
        return self._population.profiles(ids)

    def away(self, ids: Ints, at_s: float) -> Bools:
        """Return who does not answer at a time: not free, or with an empty battery, [D]."""
        free = self._population.availability.free(ids, at_s)
        return np.asarray(~free | held.flat(self._held, self.scenario, ids, at_s))

    def spend(self, ids: Ints, at_s: float, joules: Floats) -> None:
        """Take joules from batteries."""
        held.spend(self._held, self.scenario, ids, at_s, joules)

    def _of(self, size: int) -> Population:
        peak = self.cost.peak_bytes if self.cost is not None else 0
        people = self.scenario.population.model_copy(update={"devices": size})
        return Population(people, self.scenario.seed, size, peak, pace=Pace(1, 24 / self.scenario.clock.round_every_h))
