"""A Flower client mod that measures what a ClientApp takes on this host and hands it over beside its reply, as ``sim.*``."""

from __future__ import annotations

import resource
import sys
import time

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from chordsim.flower.message_size import SIM

PHONE = f"{SIM}phone"
SECONDS, PEAK, PARTITION = "seconds", "peak_bytes", "partition"
#: The question by which a grid learns which partition of the data a node holds: ``app.query(WHO_ACTION)(tell_partition)``.
WHO_ACTION = "chordsim_phone"
WHO = f"query.{WHO_ACTION}"


def phone_mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Measure one call of the app: ``ClientApp(mods=[phone_mod])``.

    The record is a `ConfigRecord`, which Flower's strategies do not look at, so the app also runs without `PhoneGrid`. The
    seconds are processor seconds of the calling thread; the peak is the most memory that the process has held so far.
    """
    began = time.thread_time()
    reply = call_next(message, context)
    if reply.has_content():
        reply.content[PHONE] = ConfigRecord({SECONDS: time.thread_time() - began, PEAK: _peak_bytes()})
    return reply


def tell_partition(message: Message, context: Context) -> Message:
    """Answer which partition this node holds, so that node ids that Flower draws anew in every run name the same phones."""
    partition = int(context.node_config.get("partition-id", -1))
    return Message(RecordDict({PHONE: ConfigRecord({PARTITION: partition})}), reply_to=message)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
