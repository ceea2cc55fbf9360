"""The app that does next to nothing: it multiplies an array of 2 KiB, so that a round is what carrying and counting take."""

from __future__ import annotations

import time

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from benchmarks.flower_apps.small import APP_S

app = ClientApp()
VALUES = 512


def content() -> RecordDict:
    """Return what every phone is sent: 2 KiB."""
    return RecordDict({"arrays": ArrayRecord({"w": Array(np.arange(VALUES, dtype=np.float32))})})


@app.train()
def train(message: Message, context: Context) -> Message:
    """Multiply and send back."""
    began = time.thread_time()
    values = message.content.array_records["arrays"]["w"].numpy() * np.float32(1.5)
    metrics = MetricRecord({"num-examples": 1, APP_S: time.thread_time() - began})
    return Message(RecordDict({"arrays": ArrayRecord({"w": Array(values)}), "metrics": metrics}), reply_to=message)
