"""A callback that writes scalars for TensorBoard; its package is the extra ``tensorboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chordsim.callbacks.protocol import Callback
from chordsim.errors import UserError
from chordsim.events import Begun, Ended, Round, Step, Validated


class TensorBoard(Callback):
    """Writes losses and validations by training step, and every number of rounds.csv by round."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """Open nothing yet.

        Args:
            folder: Where to; None: ``tensorboard`` in the run directory.

        Raises:
            UserError: The package is not installed.
        """
        try:
            import tensorboard  # noqa: F401
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError("TensorBoard: its package is not installed: pip install 'chordsim[tensorboard]'") from error
        self._make: Any = SummaryWriter
        self._folder = folder
        self._writer: Any = None

    def on_begin(self, event: Begun) -> None:
        """Open the log."""
        self._writer = self._make(str(self._folder or event.path / "tensorboard"))

    def on_step(self, event: Step) -> None:
        """Write the loss."""
        self._writer.add_scalar(f"loss/{event.training}", event.loss, event.step)

    def on_validation(self, event: Validated) -> None:
        """Write validation NDCG@10."""
        self._writer.add_scalar(f"validation_ndcg_10/{event.training}", event.ndcg_10, event.step)

    def on_round(self, event: Round) -> None:
        """Write every number of each method's line, rounded to the 32 bits that TensorBoard keeps of a scalar."""
        for method, line in event.methods.items():
            for name, value in line.items():
                if isinstance(value, int | float) and name != "round":
                    self._writer.add_scalar(f"{name}/{method}", value, event.round)
        self._writer.flush()

    def on_end(self, event: Ended) -> None:
        """Close the log."""
        self._writer.close()
