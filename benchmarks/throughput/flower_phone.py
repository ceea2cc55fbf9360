"""The Flower ClientApp of one phone per client: a message brings a device's prescription and takes its report."""

from __future__ import annotations

import os
from functools import cache

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from benchmarks.throughput.phone import Phones
from benchmarks.throughput.work import prepare

#: How many phones there are, told to Ray's workers through their environment.
PHONES, OVERRIDES = "BENCHMARK_PHONES", "BENCHMARK_OVERRIDES"
ACTION = "query.phone"
app = ClientApp()


@cache
def phones() -> Phones:
    """Return the phones, made once per process."""
    return Phones(prepare(int(os.environ[PHONES]), tuple(filter(None, os.environ.get(OVERRIDES, "").split("\n")))))


@app.query("phone")
def play(message: Message, context: Context) -> Message:
    """Play one phone."""
    asked = message.content.config_records["phone"]
    device, frame = asked["device"], asked["frame"]
    assert isinstance(device, int) and isinstance(frame, bytes)
    report, rank = phones().play(device, frame)
    return Message(RecordDict({"phone": ConfigRecord({"report": report, "rank": rank})}), reply_to=message)
