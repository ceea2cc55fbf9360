"""The Flower ClientApp: one node plays whichever cells of phones it is sent."""

from __future__ import annotations

import os
from dataclasses import replace

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from chordsim.engine.grid import hello
from chordsim.engine.peak_rss import peak_rss_bytes
from chordsim.engine.records import call_from_record, reply_to_record
from chordsim.numerics import here
from clients.cohort import Node, step

app = ClientApp()
_NODE = Node()


@app.query("hello")
def greet(message: Message, context: Context) -> Message:
    """Tell the server which partition this node is, and what it computes with."""
    return Message(hello(int(context.node_config.get("partition-id", 0)), here()), reply_to=message)


@app.query("cell")
def play(message: Message, context: Context) -> Message:
    """Play one segment of an exchange for one cell."""
    if context.run_config.get("data-root"):
        os.environ["CHORDSIM_DATA"] = str(context.run_config["data-root"])
    reply = step(_NODE, call_from_record(message.content))
    return Message(reply_to_record(replace(reply, peak_rss_bytes=peak_rss_bytes())), reply_to=message)
