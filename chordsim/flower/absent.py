"""What a Flower app sees of a phone that does not answer: the SuperLink's own error, a mod's refusal, or nothing.

Read from flwr 1.41: a node whose heartbeat stopped gets the SuperLink's error reply with code 5 (NODE_UNAVAILABLE), sent by
node 1; a reply that is not there when the app's time is up is missing from what `send_and_receive` returns; a message to
a node that the SuperLink does not know is not stored and never answered; a client mod that declines answers with code 6.
"""

from __future__ import annotations

from flwr.app import Error, Message
from flwr.common.constant import ErrorCode
from flwr.server.superlink.linkstate.utils import create_message_error_unavailable_res_message


def unavailable(message: Message) -> Message:
    """Return the SuperLink's reply for a node that is gone: offline from the start, or cut off in the middle."""
    return create_message_error_unavailable_res_message(message.metadata, "node_unavail")


def refused(message: Message, budget: str) -> Message:
    """Return a phone's own reply that a budget of its does not hold."""
    return Message(Error(ErrorCode.MOD_FAILED_PRECONDITION, f"the phone refuses: its {budget} budget does not hold"), reply_to=message)
