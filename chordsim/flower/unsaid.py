"""How an app ended that did not say so: a grid was let go of without `with`, and nobody may call half a run complete."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterable

from flwr.app import Message
from flwr.serverapp.strategy import Strategy

#: What Flower's own strategies write into every message's config record.
SERVER_ROUND = "server-round"
_DEEPEST = 64


class _Exit:
    """Whether the interpreter is ending."""

    begun = False

    @classmethod
    def begin(cls) -> None:
        cls.begun = True


class Unsaid:
    """What can be known of a run's end from outside the app.

    A strategy of Flower's that is at work is found among the callers, and with it the number of rounds that it was asked for. An
    error that nobody caught is what the interpreter ends by. An app of another kind that catches its own error, or whose error comes
    after its last exchange and is caught further out, ends for us as one that was done: only `with` knows better.

    Attributes:
        wanted: Rounds that the strategy at work was asked for, 0 where none is.
        reached: The latest of its rounds that had an exchange.
    """

    def __init__(self) -> None:
        self.wanted = self.reached = 0
        self._sent = False

    def exchange(self, messages: Iterable[Message]) -> None:
        """Look who sends messages, and for which round."""
        self._sent, wanted = True, _asked_for()
        if not wanted:
            return
        self.wanted = wanted
        told = {_round(message) for message in messages}
        self.reached = max(told, default=self.reached) or self.reached

    def failed(self) -> str:
        """Return what speaks against a run that ended well, "" if nothing does."""
        error = getattr(sys, "last_value", None)
        if _Exit.begun and error is not None and not hasattr(sys, "ps1"):
            return f"{type(error).__name__}: {error}"
        if not self._sent:
            return "the app let go of its grid before it sent a message"
        if self.reached < self.wanted:
            return f"the app let go of its grid after round {self.reached} of {self.wanted}"
        return ""


def watch_exit() -> None:
    """Learn of the interpreter's end before finalizers run: what is registered last is called first."""
    atexit.unregister(_Exit.begin)
    atexit.register(_Exit.begin)


def _asked_for() -> int:
    """Return the number of rounds of the strategy among the callers, 0 without one."""
    frame = sys._getframe(1)
    for _ in range(_DEEPEST):
        if frame.f_code.co_name == "start":
            told = frame.f_locals
            strategy, rounds = told.get("self"), told.get("num_rounds")
            if isinstance(told, dict) and "self" in frame.f_code.co_varnames:
                # Before Python 3.13 this is a copy that would keep the grid alive.
                told.clear()
            if isinstance(strategy, Strategy) and isinstance(rounds, int):
                return rounds
        if frame.f_back is None:
            break
        frame = frame.f_back
    return 0


def _round(message: Message) -> int:
    records = message.content.config_records.values() if message.has_content() else ()
    return max((told for record in records if isinstance(told := record.get(SERVER_ROUND), int)), default=0)
