"""Ledger files: one Parquet per method and round, written whole or not at all, verified when read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chordsim import arrow
from chordsim.errors import InvariantError, RunError
from chordsim.files import atomic_write, read_json
from chordsim.ledger import checksums, round_lines
from chordsim.ledger.columns import COLUMNS, LIST, PER_ROW, SCHEMA_VERSION, Column, other_schema
from chordsim.ledger.damage import named
from chordsim.ledger.digest import ledger_sha256, rows_digest
from chordsim.ledger.names import DEVICES, MANIFEST, NOT_KEPT, ROUNDS, SCENARIO, SUMMARY
from chordsim.ledger.rows import Rows

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "ledger"
#: A method of a scenario, or a Flower app on its phones.
_METHOD = re.compile(r"(?:flower:)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILE = re.compile(rf"({_METHOD.pattern})\.round-(\d{{5,}})\.parquet")
_META = "chordsim."


def file_name(method: str, round: int) -> str:
    """Return the name of the file that holds one method's round.

    Raises:
        RunError: The method's name cannot be part of a file name.
    """
    if not _METHOD.fullmatch(method):
        raise RunError(f"method {method!r} cannot name a ledger file: use letters, digits, dots, dashes and underscores")
    return f"{method}.round-{round:05d}.parquet"


def round_of(path: Path) -> int:
    """Return the round that a ledger file's name states."""
    match = _FILE.fullmatch(path.name)
    if match is None:
        raise RunError(f"{path}: not the name of a ledger file")
    return int(match[match.lastindex or 0])


def write_rows(folder: Path, rows: Rows, digest: bytes, *, lasting: bool = True) -> Path:
    """Write one method's round into ``folder`` and return the file.

    Args:
        folder: The run's ledger folder.
        rows: The rows.
        digest: `rows_digest` of them, kept in the file's metadata to tell a damaged file.
        lasting: As `chordsim.files.atomic_write` takes it.

    Raises:
        UserError, RunError: The file cannot be written; nothing is left of it.
    """
    target = folder / file_name(rows.method, rows.round)
    meta = {"schema_version": str(SCHEMA_VERSION), "method": rows.method, "round": str(rows.round), "rows_digest": digest.hex()}
    schema = pa.schema(
        [*_fields(), *_list_field(rows)],
        metadata={_META + key: value for key, value in meta.items()},
    )
    lists = [] if rows.lists is None else [pa.FixedSizeListArray.from_arrays(arrow.column(rows.lists.reshape(-1)), rows.lists.shape[1])]
    table = pa.Table.from_arrays([*(_array(rows, column) for column in COLUMNS), *lists], schema=schema)
    buffer = pa.BufferOutputStream()
    dictionaries: Any = ["round", *(column.name for column in COLUMNS if column.dtype == "str")]
    pq.write_table(table, buffer, compression="zstd", compression_level=1, use_dictionary=dictionaries)
    atomic_write(target, memoryview(buffer.getvalue()), lasting=lasting)
    return target


def read_rows(path: Path) -> Rows:
    """Read one file back and verify it against the digest that it carries.

    Raises:
        RunError: The file is missing, half-written, damaged, or of another schema; the text names it.
    """
    table = _read_table(path)
    meta = _metadata(path, table.schema)
    with named(path, "damaged: a column that cannot be read"):  # codes that name no word, words that are no text
        columns = {column.name: _column(table, column) for column in PER_ROW}
        if LIST in table.column_names:
            columns[LIST] = list_values(table.column(LIST))
    try:
        rows = Rows.of(meta["method"], int(meta["round"]), columns)
    except (InvariantError, ValueError) as error:
        raise RunError(f"{path}: {error}") from error
    if rows_digest(rows).hex() != meta["rows_digest"]:
        raise RunError(f"{path}: the rows do not match the digest in the file: it was damaged or edited")
    return rows


def ledger_files(run: Path) -> list[Path]:
    """Return the ledger files of a run directory, by method name, then round.

    Raises:
        RunError: The run has no ledger.
    """
    found = []
    for path in (run / FOLDER).glob("*.parquet"):
        match = _FILE.fullmatch(path.name)
        if match:
            found.append((match[1].encode(), int(match[2]), path))
    if not found:
        raise RunError(
            f"{run}: no ledger files in {FOLDER}/: not a run directory, no round was finished, or a fleet whose rows are not kept"
        )
    return [path for _, _, path in sorted(found)]


def iter_rows(run: Path) -> Iterator[Rows]:
    """Yield the verified rows of a run, file by file, by method name, then round."""
    for path in ledger_files(run):
        yield read_rows(path)


def check(run: Path) -> checksums.Checked:
    """Hold every file of a run against its checksum; without checksums, every ledger file against the digest that it carries.

    Without checksums, what every run has that has ended, and the ledger files of the rounds that rounds.csv tells of, have to be there.

    Raises:
        RunError: A file that was damaged, edited or added since the run ended, or a ledger file that was taken away; the text names it.
    """
    found = checksums.check_files(run)
    if found is not None:
        return found
    manifest = read_json(run / MANIFEST) if (run / MANIFEST).is_file() else {}
    ended = manifest.get("status") in ("complete", "degraded")
    for path in _told(run) if ended and NOT_KEPT not in manifest else ():
        if not path.exists():
            raise RunError(f"{path}: is gone, and {ROUNDS} tells of its round")
    digests = {(rows.method, rows.round): rows_digest(rows) for rows in iter_rows(run)} if any((run / FOLDER).glob("*.parquet")) else {}
    claimed = manifest.get("ledger_sha256")
    if claimed and claimed != ledger_sha256(digests):
        what = "its ledger is not the one that its manifest names" if digests else f"{FOLDER}/ is empty, and its manifest names a ledger"
        raise RunError(f"{run}: {what} ({str(claimed)[:12]}): it was damaged or edited")
    gone = tuple(name for name in (SCENARIO, DEVICES, ROUNDS, SUMMARY) if ended and not (run / name).is_file())
    doubt = " ".join(filter(None, (checksums.NO_SUMS if digests else checksums.NO_SUMS_NOR_ROWS, checksums.missing(gone))))
    return checksums.Checked(len(digests), doubt, gone)


def _told(run: Path) -> Iterator[Path]:
    """Yield the ledger files of the rounds that rounds.csv tells of; none where it cannot be read."""
    try:
        names = [file_name(method, round) for method, round in sorted(round_lines.told(run))]
    except (OSError, ValueError, KeyError, TypeError, csv.Error, RunError):
        return
    yield from (run / FOLDER / name for name in names)


def read_ledger(run: Path, checked: bool = True) -> pd.DataFrame:
    """Return the whole ledger of a run as one frame, by method name, round and device.

    Text columns are categories; ``plan_age_rounds`` is pandas' nullable integer.

    Args:
        run: A run directory.
        checked: Hold its files against their checksums, or without such against the digests that ledger files carry.

    Raises:
        RunError: No ledger, or a file that cannot be read, or that was damaged or edited.
    """
    import pandas as pd

    if checked:
        check(run)
    tables: list[pa.Table] = []
    for path in ledger_files(run):
        table = _read_table(path).replace_schema_metadata(None)
        if tables and table.schema != tables[0].schema:
            raise RunError(f"{path}: damaged, or of another run: not the columns of the files before it")
        with named(path, "damaged: a column that cannot be read"):
            table.validate(full=True)
        tables.append(table)
    whole = pa.concat_tables(tables).unify_dictionaries()
    ages = whole.column("plan_age_rounds")
    frame = whole.drop_columns(["plan_age_rounds"]).to_pandas()
    frame["plan_age_rounds"] = pd.arrays.IntegerArray(np.asarray(pc.fill_null(ages, pa.scalar(0, pa.int64()))), np.asarray(ages.is_null()))
    return frame[[*(column.name for column in COLUMNS), *([LIST] if LIST in frame else [])]]


def list_values(data: pa.ChunkedArray[Any]) -> npt.NDArray[np.int32]:
    """Return a column of lists as int32 [D, k]."""
    whole: Any = data.combine_chunks()
    return np.asarray(whole.flatten(), np.int32).reshape(len(whole), whole.type.list_size)


_TEXT = pa.dictionary(pa.int32(), pa.string())
_TYPES: dict[str, pa.DataType] = {"str": _TEXT, "int64": pa.int64(), "float64": pa.float64()}


@lru_cache(maxsize=1)
def _fields() -> tuple[pa.Field[Any], ...]:
    return tuple(pa.field(c.name, _TYPES[c.dtype], c.nullable, metadata={"unit": c.unit, "mark": c.mark}) for c in COLUMNS)


def _list_field(rows: Rows) -> list[pa.Field[Any]]:
    if rows.lists is None:
        return []
    return [pa.field(LIST, pa.list_(pa.int32(), rows.lists.shape[1]), metadata={"unit": "", "mark": "measured"})]


def _is_list(given: pa.DataType) -> bool:
    return isinstance(given, pa.FixedSizeListType) and given.value_type == pa.int32() and given.list_size > 0


def _array(rows: Rows, column: Column) -> pa.Array[Any]:
    """Return a contract column as an Arrow array."""
    count = len(rows)
    if column.name == "method":
        return pa.DictionaryArray.from_arrays(arrow.column(np.zeros(count, np.int32)), arrow.texts([rows.method]))
    if column.name == "round":
        return arrow.column(np.full(count, rows.round, np.int64))
    values = rows[column.name]
    if column.dtype == "str":
        return pa.DictionaryArray.from_arrays(arrow.column(values.astype(np.int32)), arrow.texts(rows.words[column.name]))
    return arrow.column(values, rows.nulls.get(column.name))


def _read_table(path: Path) -> pa.Table:
    """Return a file as a table with the contract's columns and types."""
    with named(path, "half-written or damaged, not a Parquet file that can be read"):
        try:
            table = pq.read_table(path, partitioning=None)
        except FileNotFoundError:
            raise RunError(f"{path}: no such file") from None
    _metadata(path, table.schema)
    try:
        names = table.column_names
    except UnicodeDecodeError:
        raise RunError(f"{path}: the name of a column is damaged") from None
    kept = [table.schema.field(len(names) - 1)] if names[-1:] == [LIST] and _is_list(table.schema.types[-1]) else []
    if names != [*(column.name for column in COLUMNS), *(field.name for field in kept)]:
        raise RunError(f"{path}: the columns are not those of schema {SCHEMA_VERSION}")
    with named(path, "a column is not of its type"):
        return table.cast(pa.schema([*(pa.field(c.name, _TYPES[c.dtype]) for c in COLUMNS), *kept]).with_metadata(table.schema.metadata))


def _metadata(path: Path, schema: pa.Schema) -> dict[str, str]:
    """Return the metadata that chordsim wrote into a file."""
    raw = schema.metadata or {}
    try:
        meta = {key: raw[(_META + key).encode()].decode() for key in ("schema_version", "method", "round", "rows_digest")}
    except KeyError as error:
        raise RunError(f"{path}: not a chordsim ledger file: no {error.args[0].decode()} in its metadata") from None
    except UnicodeDecodeError:
        raise RunError(f"{path}: the metadata is damaged") from None
    if meta["schema_version"] != str(SCHEMA_VERSION):
        raise RunError(f"{path}: ledger {other_schema(meta['schema_version'])}")
    return meta


def _column(table: pa.Table, column: Column) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a column as `Rows.of` takes it."""
    data = table.column(column.name)
    if column.dtype == "str":
        return np.asarray(data.cast(pa.string()).to_numpy(zero_copy_only=False), dtype=object)
    return np.asarray(data.to_numpy(zero_copy_only=False))
