"""The carrier over any Flower grid, and Flower's own internals in one place.

`GridCarrier` speaks `flwr.serverapp.Grid` alone, so the same server runs in process, on Ray, under `flwr run` and
on a real deployment. `LocalGrid` is what chordsim's own engines subclass: it numbers nodes and messages.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from chordsim.engine.cell import CellCall, CellReply
from chordsim.engine.records import ACTION, HELLO, SIM, call_to_record, record_bytes, reply_from_record, wire_bytes
from chordsim.errors import ChordsimError, RunError
from chordsim.numerics import here

RUN_ID = 1
SERVER_NODE = 1


class GridCarrier:
    """Carries cells over a Flower grid: cell n goes to node n modulo nodes, nodes sorted by partition id."""

    def __init__(self, grid: Grid, *, cells_per_node: int, timeout_s: float, await_nodes_s: float = 60.0) -> None:
        """Ask all nodes for their partition.

        Args:
            grid: Any Flower grid.
            cells_per_node: Calls that a node may have at once.
            timeout_s: How long an exchange may take before missing cells count as lost. On chordsim's own Ray
                engine, how long one call may take before its worker is replaced.
            await_nodes_s: How long to wait for the first node.

        Raises:
            RunError: No node came, or one cannot run the client app.
        """
        self._grid, self._timeout_s = grid, timeout_s
        self._numerics: dict[int, str] = {}
        self._nodes = self._sorted_nodes(await_nodes_s)
        self._cells = len(self._nodes) * cells_per_node
        self._peaks: dict[int, int] = {}
        self._moved = Counter[str]()

    @property
    def cells(self) -> int:
        """How many cells keep all nodes busy."""
        return self._cells

    def report(self) -> dict[str, Any]:
        """Return what carried the work and what it took, for the summary; and what nodes compute with that is not what this one does."""
        peak = max(self._peaks.values(), default=0)
        moved = dict(sorted(self._moved.items()))
        told = {"nodes": len(self._nodes), "cells": self._cells, "worker_peak_rss_bytes": peak, "carried": moved}
        others = sorted({numerics for numerics in self._numerics.values() if numerics} - {here()})
        return {**told, **({"other_numerics": others} if others else {})}

    def exchange(self, calls: Iterable[CellCall]) -> Iterator[CellReply]:
        """Send calls and yield replies; a lost or failed cell comes back with an error."""
        waiting: dict[str, tuple[int, int]] = {}
        messages = []
        for call in calls:
            node = self._nodes[call.cell % len(self._nodes)]
            record = call_to_record(call)
            messages.append(Message(record, dst_node_id=node, message_type=ACTION, group_id=str(call.cell)))
            down = wire_bytes(record)
            waiting[str(call.cell)] = (call.cell, down)
            self._moved.update({"messages_down": 1, "wire_down_bytes": down, "records_down_bytes": record_bytes(record)})
        for reply in self._grid.send_and_receive(messages, timeout=self._timeout_s):
            cell, down = waiting.pop(reply.metadata.group_id, (None, 0))
            if cell is not None:
                read = _reply_of(reply, cell, down)
                self._moved.update({"messages_up": 1, "wire_up_bytes": read.moved_up_bytes})
                if read.missing:
                    # The same messages go out once more, with the parts that the node lacked.
                    self._moved["wire_down_bytes"] -= down
                self._moved["records_up_bytes"] += 0 if reply.has_error() else record_bytes(reply.content)
                node = reply.metadata.src_node_id
                self._peaks[node] = max(self._peaks.get(node, 0), read.peak_rss_bytes)
                yield read
        for cell, down in waiting.values():
            yield CellReply(cell, error=f"no answer within {self._timeout_s:g} s", moved_down_bytes=down)

    def _sorted_nodes(self, await_nodes_s: float) -> list[int]:
        deadline = time.monotonic() + await_nodes_s
        while not (nodes := list(self._grid.get_node_ids())):
            if time.monotonic() > deadline:
                raise RunError(f"no node came within {await_nodes_s:g} s")
            time.sleep(0.2)
        hello = [Message(RecordDict(), dst_node_id=node, message_type=HELLO) for node in sorted(nodes)]
        order = {}
        for reply in self._grid.send_and_receive(hello, timeout=self._timeout_s):
            if reply.has_error():
                raise RunError(f"node {reply.metadata.src_node_id} cannot run the client app: {reply.error.reason}")
            partition = reply.content.config_records[SIM]["partition"]
            if not isinstance(partition, int):
                raise RunError(f"node {reply.metadata.src_node_id} runs another client app: its partition is {partition!r}")
            order[reply.metadata.src_node_id] = partition
            self._numerics[reply.metadata.src_node_id] = str(reply.content.config_records[SIM].get("numerics", ""))
        if len(order) < len(nodes):
            raise RunError(f"{len(nodes) - len(order)} of {len(nodes)} nodes gave no answer within {self._timeout_s:g} s")
        return sorted(order, key=lambda node: (order[node], node))


def hello(partition: int, numerics: str = "") -> RecordDict:
    """Return a node's answer to the first question: which partition it is, and `chordsim.numerics.here` of its machine."""
    return RecordDict({SIM: ConfigRecord({"partition": partition, "numerics": numerics})})


def _reply_of(message: Message, cell: int, down: int) -> CellReply:
    if message.has_error():
        reason = _short(" ".join(str(message.error.reason).split())) or f"error {message.error.code}"
        return CellReply(cell, error=reason, moved_down_bytes=down)
    try:
        reply = reply_from_record(message.content)
        return replace(reply, cell=cell, moved_down_bytes=down, moved_up_bytes=wire_bytes(message.content))
    except ChordsimError as error:
        return CellReply(cell, error=str(error), moved_down_bytes=down)


def _short(reason: str, most: int = 600) -> str:
    """Return both ends of a long text: whose fault it was stands at the beginning, what happened often at the end."""
    return reason if len(reason) <= most else f"{reason[: most // 2]} ... {reason[-most // 2 :]}"


class LocalGrid(Grid):
    """A grid without a SuperLink: nodes are numbered, messages get ids, subclasses deliver them."""

    def __init__(self, nodes: int) -> None:
        self._node_ids = [SERVER_NODE + 1 + n for n in range(nodes)]
        self._numbers = itertools.count(1)
        self._ready: dict[str, Message] = {}
        # What Flower's runtimes set before an app may make messages.
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN_ID, SERVER_NODE, 0

    def describe(self) -> str:
        """Return what carries the work, for a person."""
        return f"{len(self._node_ids)} nodes"

    def set_run(self, run: Any) -> None:
        """Take no run information: there is no SuperLink."""

    @property
    def run(self) -> Any:
        """Fail: there is no SuperLink that knows of a run."""
        raise RunError("this grid has no SuperLink, so no run information")

    def create_message(self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None) -> Message:
        """Return a message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return all nodes."""
        return list(self._node_ids)

    def number(self, message: Message) -> Message:
        """Give a message its id."""
        message.metadata.__dict__["_message_id"] = f"m{next(self._numbers)}"
        return message

    def deliver(self, messages: list[Message], timeout: float | None) -> Iterator[Message]:
        """Hand numbered messages to their nodes and yield replies as they come; the one thing to implement."""
        raise RunError("this grid delivers nothing")

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Deliver messages and keep their replies for `pull_messages`."""
        numbered = [self.number(m) for m in messages]
        for reply in self.deliver(numbered, None):
            self._ready[reply.metadata.reply_to_message_id] = reply
        return [m.metadata.message_id for m in numbered]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that came to these messages."""
        return [self._ready.pop(i) for i in message_ids if i in self._ready]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterator[Message]:
        """Deliver messages and yield replies as they come."""
        return self.deliver([self.number(m) for m in messages], timeout)
