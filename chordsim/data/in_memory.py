"""A table in memory as a run's data: kept as Parquet in the cache, since servers, workers and a later resume read it too."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from chordsim.data import storing
from chordsim.data.content import digest_content
from chordsim.data.places import cache_folder
from chordsim.errors import DataError, one_line


def keep_frame(data: Any) -> Path:
    """Return the file in the cache that holds a table.

    The same table makes the same file, which stays until the cache is emptied.

    Args:
        data: A pandas data frame (its index is no column), an Arrow table, a dict of columns, or what offers itself as an Arrow stream,
            such as a polars frame.

    Raises:
        DataError: No table, or columns that Arrow has no type for.
    """
    table = _table(data)
    folder = cache_folder() / "frames"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".frame.")
        os.close(handle)
        written = Path(name)
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                pq.write_table(table, written, compression="zstd")
            except (pa.ArrowException, UnicodeError) as error:
                raise _no_table(error) from None
            path = folder / f"frame-{digest_content(written)[:32]}.parquet"
            storing.publish(written, path)
        finally:
            written.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: the table cannot be kept there ({error.strerror or error})") from None
    return path


def _table(data: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    try:
        if isinstance(data, pa.Table):
            return data.replace_schema_metadata(None)
        if isinstance(data, pd.DataFrame):
            named = data.set_axis([str(name) for name in data.columns], axis=1)
            return pa.Table.from_pandas(named, preserve_index=False).replace_schema_metadata(None)
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _no_table(error) from None


def _no_table(error: Exception) -> DataError:
    why = one_line(error, 200)
    return DataError(f"data: no table that can be read ({why}): give a pandas frame or an Arrow table")
