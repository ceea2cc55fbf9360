"""What an app takes from a phone: declared, since no simulator can read it from somebody's code; or measured by the mod."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Codes, Ints
from chordsim.errors import UserError
from chordsim.methods import BINDINGS, Budgets

TRAIN, EVALUATE = "train", "evaluate"
_MEMORY, _LATENCY = BINDINGS.index("memory"), BINDINGS.index("latency")
#: Forward and backward against forward alone, in multiply-accumulates: the backward pass has two products for each.
_FORWARD_OF_TRAINING = 3


@dataclass(frozen=True)
class PhoneCost:
    """What one message costs a phone.

    Attributes:
        macs_per_example: Multiply-accumulates of training on one example once, forward and backward.
        peak_bytes: Memory at its peak while the app works.
        evaluate_macs_per_example: The same for evaluation; by default a third of training.
        epochs: How often training goes over its examples.
        examples_key: Name of the metric in which a reply tells its number of examples.
        host_macs_per_s: With the client mod: take seconds and memory from what it measured, on a host that does so many
            multiply-accumulates per second. Such a ledger is not the same twice.
    """

    macs_per_example: int = 0
    peak_bytes: int = 0
    evaluate_macs_per_example: int | None = None
    epochs: int = 1
    examples_key: str = "num-examples"
    host_macs_per_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no phone can spend.

        Raises:
            UserError: A negative number.
        """
        for name in ("macs_per_example", "peak_bytes", "evaluate_macs_per_example", "epochs", "host_macs_per_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UserError(f"PhoneCost.{name} = {value}: must be 0 or more")

    @classmethod
    def measured(cls, host_macs_per_s: float) -> PhoneCost:
        """Return the cost that the client mod measures on a host of this speed."""
        return cls(host_macs_per_s=host_macs_per_s)

    @property
    def forward_macs(self) -> int:
        """Multiply-accumulates of one example's forward pass."""
        if self.evaluate_macs_per_example is not None:
            return self.evaluate_macs_per_example
        return self.macs_per_example // _FORWARD_OF_TRAINING

    def refusals(self, budgets: Budgets) -> Codes:
        """Return who refuses, as codes into `BINDINGS`, [D]: peak memory, then the seconds of one example's forward pass."""
        refusal = np.zeros(budgets.memory_bytes.size, np.uint8)
        refusal[self.forward_macs > budgets.latency_s * budgets.macs_per_s] = _LATENCY
        refusal[self.peak_bytes > budgets.memory_bytes] = _MEMORY
        return refusal

    def spent(self, kind: str, examples: Sequence[float], host_s: Sequence[float]) -> tuple[Ints, Ints]:
        """Return the multiply-accumulates of a request and of training, [D] each.

        Args:
            kind: The message's category: train, evaluate or query.
            examples: What each reply told; NaN for nothing.
            host_s: Seconds that the mod measured; NaN for nothing.
        """
        told = np.nan_to_num(np.asarray(examples, np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(0, 2**31)
        if self.host_macs_per_s:
            macs = np.nan_to_num(np.asarray(host_s, np.float64), nan=0.0, posinf=0.0).clip(0, 1e9) * self.host_macs_per_s
        else:
            macs = told * (self.macs_per_example * self.epochs if kind == TRAIN else self.forward_macs if kind == EVALUATE else 0)
        whole = np.minimum(macs, 2**60).astype(np.int64)
        none = np.zeros_like(whole)
        return (none, whole) if kind == TRAIN else (whole, none)
