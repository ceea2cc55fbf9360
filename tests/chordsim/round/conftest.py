"""A table at which methods play rounds without Flower: a carrier that calls the cohort step through real records."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest

from chordsim.engine.cell import CellCall, CellReply
from chordsim.engine.records import call_from_record, call_to_record, reply_from_record, reply_to_record, wire_bytes
from chordsim.methods import MethodSpec, discovery
from chordsim.progress import Silent
from chordsim.round.enrolled import Hosted
from chordsim.round.live import play
from chordsim.round.scene import scene_of
from chordsim.round.script import Played
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import World, of_text
from clients import cohort
from server.hosting import train


@dataclass
class Carrier:
    """Calls the cohort step in process, through the records that Flower would carry.

    Attributes:
        cells: How many cells.
        off_by: Bytes that the carrier's own count is wrong by, per reply.
        damage: What to do to a call before the client sees it; an exception is the client's.
        calls: Every call that was made.
    """

    cells: int = 2
    off_by: int = 0
    damage: Callable[[CellCall], CellCall] | None = None
    node: cohort.Node = field(default_factory=cohort.Node)
    calls: list[CellCall] = field(default_factory=list)
    backwards: bool = False

    def exchange(self, calls: Iterable[CellCall]) -> Iterator[CellReply]:
        listed = list(calls)
        for call in reversed(listed) if self.backwards else listed:
            self.calls.append(call)
            record = call_to_record(call)
            down = wire_bytes(record)
            try:
                given = call_from_record(record)
                reply = cohort.step(self.node, self.damage(given) if self.damage else given)
            except Exception as error:  # whatever a client raises is its cell's error
                yield CellReply(call.cell, error=f"{type(error).__name__}: {error}", moved_down_bytes=down)
                continue
            back = reply_to_record(reply)
            yield replace(reply_from_record(back), moved_down_bytes=down, moved_up_bytes=wire_bytes(back) + self.off_by)


@dataclass
class Table:
    """A world, its methods enrolled, and a carrier.

    Attributes:
        world: The scenario with its data.
        text: The resolved scenario.
        carrier: Whatever moves messages.
    """

    world: World
    text: str
    carrier: Carrier
    enrolled: dict[str, Hosted] = field(default_factory=dict)

    def method(self, name: str) -> Hosted:
        if not self.enrolled:
            self.enrolled = {method.spec.name: method for method in train(self.world, Silent()).methods}
        return self.enrolled[name]

    def play(self, name: str, round: int = 1) -> Played:
        with ThreadPoolExecutor(1) as threads:
            return play(self.method(name), self.world, scene_of(self.world, round), self.carrier, self.text, threads)


@pytest.fixture
def table(tiny: Callable[..., list[str]]) -> Callable[..., Table]:
    """Return a maker of tables from overrides over the tiny scenario."""

    def make(*more: str, methods: tuple[str, ...] = ("fp32", "chord-plus", "cloud-only"), carrier: Carrier | None = None) -> Table:
        text = dump(load("offline", tiny(*more, methods=methods)))
        return Table(of_text(text), text, carrier or Carrier())

    return make


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that installs methods as a package elsewhere would: an entry point to a spec with two halves."""

    def install(spec: MethodSpec, cloud: type, device: type) -> None:
        module: Any = types.ModuleType("elsewhere")
        module.make, module.Cloud, module.Device = lambda name: spec, cloud, device
        monkeypatch.setitem(sys.modules, "elsewhere", module)
        shipped = tuple(entry_points(group=discovery.GROUP))
        own = EntryPoint(spec.name, "elsewhere:make", discovery.GROUP)
        monkeypatch.setattr(discovery, "entry_points", lambda group: (*shipped, own))

    return install
