"""Progress that ends a run in its middle, as the end of its process would."""

from __future__ import annotations

from chordsim.progress import Silent


class Cut(Exception):
    """Stands for the end of the process."""


class CutAfter(Silent):
    """Progress that ends the run after so many plays of a method's round."""

    def __init__(self, plays: int) -> None:
        self.left, self.playing = plays, False

    def start(self, title: str, total: int | None) -> None:
        self.playing = title == "rounds"

    def advance(self, count: int = 1, note: str = "") -> None:
        if self.playing:
            self.left -= count
            if self.left < 0:
                raise Cut
