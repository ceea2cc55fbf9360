"""A run that is read unchecked (`check=False`, `--unchecked`): whatever is wrong with a file is one typed line that names it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chordsim.api import RunResult
from chordsim.compare.compare import compare
from chordsim.errors import ChordsimError, RunError
from chordsim.frames import many
from chordsim.ledger.damage import sound
from chordsim.ledger.parquet import ledger_files, read_ledger
from chordsim.recost.again import recost
from chordsim.report import page
from chordsim.report.export import recbole, table

#: What a result of Python reads, and from which file; a file of the ledger stands for all of them.
PROPERTIES = {
    "ledger": "ledger",
    "devices": "devices.parquet",
    "rounds": "rounds.csv",
    "training": "training.csv",
    "summary": "summary.json",
    "manifest": "manifest.json",
}
FILES = (*PROPERTIES.values(), "plans.parquet", "scenario.toml")
Reader = Callable[[Path], object]


def of_python(name: str) -> Reader:
    """What a result of Python reads by a property's name."""
    return lambda run: getattr(RunResult(run, check=False), name)


def readers(whole: Path, scratch: Path) -> dict[str, Reader]:
    """Every public reader of a run beside `PROPERTIES`; ``whole`` is a sound run."""
    return {
        "rounds_df": many.rounds_df,
        "devices_df": many.devices_df,
        "report": lambda run: page.write(run, scratch / "page.html", check=False),
        "csv": lambda run: table(run, "csv", check=False),
        "recbole": lambda run: recbole(run, check=False),
        "compare": lambda run: compare([run, whole], check=False),
        "recost": lambda run: recost(run, ["clock.count_report=true"], check=False),
    }


def damaged(path: Path, draw: random.Random, flips: int) -> Iterator[bytes]:
    """Yield a file cut, emptied, overwritten, as another table, and with bytes that are others."""
    data, whole = path.read_bytes(), pq.read_table(path) if path.suffix == ".parquet" else None
    yield from (b"", data[: len(data) // 10], data[: len(data) // 2], data[:-1], draw.randbytes(300), data.split(b"\n")[0] + b"\n")
    for _ in range(flips):
        changed = bytearray(data)
        for _ in range(draw.choice((1, 4, 40))):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        yield bytes(changed)
    if whole is not None:
        yield from _other_tables(whole, draw)
    else:
        yield from (b"a,b\n1,2\n", b"[]", b"{}", b'{"methods": 3}', b'"', data.replace(b"1", b"x"))


def _other_tables(whole: pa.Table, draw: random.Random) -> Iterator[bytes]:
    name = draw.choice(whole.column_names)
    at, rows = whole.column_names.index(name), len(whole)
    for made in (
        pa.table({"x": [1, 2]}),
        whole.slice(0, 0),
        whole.replace_schema_metadata(None),
        whole.drop_columns([name]),
        whole.set_column(at, name, pa.array(["a"] * rows)),
        whole.set_column(at, name, pa.array([None] * rows, pa.float64())),
    ):
        held = pa.BufferOutputStream()
        pq.write_table(made, held)
        yield held.getvalue().to_pybytes()


def told_by(given: dict[str, Reader], run: Path, name: str, flips: int, seed: int) -> int:
    """Damage a file in many ways and read each; return how often that was told. Anything else than a frame or a typed line fails."""
    path = min((run / name).glob("*.parquet")) if name == "ledger" else run / name
    data, told = path.read_bytes(), 0
    for way in damaged(path, random.Random(f"{seed} {name}"), flips):
        path.write_bytes(way)
        for who, read in given.items():
            try:
                read(run)
            except ChordsimError as error:
                told += 1
                assert str(run) in str(error) and path.name in str(error) and "\n" not in str(error), (who, str(error))
    path.write_bytes(data)
    return told


@pytest.fixture
def copied(played_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(played_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint", "report.html")))


def test_python_tells_every_damage_in_a_typed_line(copied: Path) -> None:
    for name, file in PROPERTIES.items():
        assert told_by({name: of_python(name)}, copied, file, 8, 1) >= 6, name


def test_files_of_one_ledger_have_one_set_of_columns(copied: Path) -> None:
    last = ledger_files(copied)[-1]
    whole = pq.read_table(last)
    lists = pa.FixedSizeListArray.from_arrays(pa.array([0] * 3 * len(whole), pa.int32()), 3)
    pq.write_table(whole.append_column("list", lists), last)
    with pytest.raises(RunError, match=f"{last.name}: damaged, or of another run"):
        read_ledger(copied, checked=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_reader_tells_every_damage_in_a_typed_line(name: str, copied: Path, played_run: Path, tmp_path: Path) -> None:
    assert told_by(readers(played_run, tmp_path), copied, name, 3, 2) > 0


@pytest.mark.parametrize("sums", [True, False], ids=("with checksums", "without"))
def test_files_that_are_sound_alone_and_do_not_fit_are_told(sums: bool, copied: Path, played_run: Path) -> None:
    """A scenario of other tiers: nothing is wrong with it by itself."""
    path = copied / "scenario.toml"
    path.write_text(path.read_text().replace("tiers.low", "tiers.tiny"))
    assert path.read_text() != (played_run / "scenario.toml").read_text()
    if not sums:
        (copied / "SHA256SUMS").unlink()
    with pytest.raises(RunError, match="scenario.toml: does not match SHA256SUMS" if sums else "run: its files do not fit together"):
        recost(copied, ["clock.count_report=true"], check=False)


def test_a_fault_of_ours_is_not_taken_for_damage(played_run: Path) -> None:
    with pytest.raises(ZeroDivisionError), sound(played_run):
        _ = 1 / 0
