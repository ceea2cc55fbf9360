"""What of a ledger a product would cost: the simulator's own report is told apart."""

from __future__ import annotations

import numpy as np

from chordsim.arrays import Ints
from chordsim.wire.frame import OVERHEAD_BYTES


def report_crossed(report_bytes: Ints, cut_up_bytes: Ints) -> Ints:
    """Return the bytes of each phone's report that crossed the link, its frame included, [D].

    A report is the last message of an exchange and none follows a cut one, so what was cut of a row with a report was cut of it.

    Args:
        report_bytes: Payload of the reports, [D].
        cut_up_bytes: What did not cross, [D].
    """
    return np.where(report_bytes > 0, np.maximum(report_bytes + OVERHEAD_BYTES - cut_up_bytes, 0), 0)
