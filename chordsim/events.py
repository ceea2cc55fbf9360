"""What a run tells while it goes on, beside progress for people: training steps, validations, rounds; heard by callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable


@dataclass(frozen=True)
class Begun:
    """A run has its folder; nothing is trained or played yet.

    Attributes:
        path: The run directory.
        scenario: The resolved scenario, as plain values by table.
        resumed: Whether an earlier run goes on; rounds that are done are not told again.
    """

    path: Path
    scenario: Mapping[str, Any]
    resumed: bool


@dataclass(frozen=True)
class Step:
    """A step of a training.

    Attributes:
        training: What is trained, by its name in the progress.
        step: From 1.
        loss: Of this step.
    """

    training: str
    step: int
    loss: float


@dataclass(frozen=True)
class Validated:
    """A validation of a training.

    Attributes:
        training: What is trained.
        step: After how many steps.
        ndcg_10: Validation NDCG@10.
        best: The best so far.
    """

    training: str
    step: int
    ndcg_10: float
    best: float


@dataclass(frozen=True)
class Round:
    """A round of all methods is played and on the disk.

    Attributes:
        round: From 1.
        methods: The method's line of rounds.csv by method: outcomes, ``ndcg_10``, ``ndcg_10_all``, bytes, seconds; None for no value.
    """

    round: int
    methods: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ended:
    """A run has ended and its files are whole.

    Attributes:
        path: The run directory.
        status: As the manifest has it.
        summary: summary.json.
    """

    path: Path
    status: str
    summary: Mapping[str, Any]


Event: TypeAlias = Begun | Step | Validated | Round | Ended


@runtime_checkable
class Listener(Protocol):
    """A progress that also hears events."""

    def tell(self, event: Event) -> None:
        """Hear one."""
        ...


def tell(progress: object, event: Event) -> None:
    """Tell whoever shows progress, if it listens."""
    if isinstance(progress, Listener):
        progress.tell(event)
