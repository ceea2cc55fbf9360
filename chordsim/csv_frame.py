"""CSVs as pandas frames, their numbers to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def read_csv(path: Path, **more: Any) -> pd.DataFrame:
    """Read a CSV as `pandas.read_csv` does. Its numbers miss the last bit in pandas 2 unless that is asked for, which pandas 3 deprecates.

    Args:
        path: The file.
        more: What else `pandas.read_csv` is told.

    Raises:
        OSError, ValueError: What pandas raises.
    """
    import pandas as pd

    if int(pd.__version__.partition(".")[0]) < 3:
        more["float_precision"] = "round_trip"
    frame: pd.DataFrame = pd.read_csv(path, **more)
    return frame
