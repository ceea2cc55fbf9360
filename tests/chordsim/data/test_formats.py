"""Reading files: as line by line, whatever the blocks; and a bad line is named by its number."""

from __future__ import annotations

import bz2
import csv
import gzip
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chordsim.config.model import DataConfig
from chordsim.data import blocks
from chordsim.data.content import Limits
from chordsim.data.formats import FORMATS, read_file
from chordsim.data.raw import RawLog
from chordsim.data.sniff import BLANKS
from chordsim.errors import DataError

ROWS = [("10", "7", 4.0, 100.0), ("2", "7", 3.5, 99.0), ("10", "8", 5.0, 100.0)]
SAMPLES = {
    "u.data": b"10\t7\t4\t100\n2\t7\t3.5\t99\n10\t8\t5\t100\n",
    "inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n10\t7\t4\t100\n2\t7\t3.5\t99.0\n10\t8\t5\t100\n",
    "csv": b"10,7,4.0,100\n2,7,3.5,99\n10,8,5.0,100\n",
    "ratings.dat": b"10::7::4::100\n2::7::3.5::99\n10::8::5::100\n",
}
WORDS = {"pairs": b"10 7\n10 8\n2 7\n", "seq": b"10 7 8\n2 7\n3 9 9 9\n"}


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACKERS = {"": bytes, "gzip": gzip.compress, "bz2": bz2.compress, "zstd": zstd}


def write(folder: Path, data: bytes, name: str = "data.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def config_of(path: Path, **keys: object) -> DataConfig:
    return DataConfig.model_validate({"source": "file", "path": str(path), **keys})


def rows_of(log: RawLog) -> list[tuple[object, ...]]:
    ratings = [None] * log.users.size if log.ratings is None else [None if r != r else r for r in log.ratings.tolist()]
    times = [None] * log.users.size if log.timestamps is None else log.timestamps.tolist()
    return list(zip(log.user_tokens[log.users].tolist(), log.item_tokens[log.items].tolist(), ratings, times, strict=True))


@pytest.mark.parametrize("format", SAMPLES)
@pytest.mark.parametrize("given", ["auto", "stated"])
@pytest.mark.parametrize("packed", ["", "gzip", "bz2", "zstd"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"no last"])
def test_delimited_formats(tmp_path: Path, format: str, given: str, packed: str, ends: bytes) -> None:
    data = SAMPLES[format]
    data = data[:-1] if ends == b"no last" else data.replace(b"\n", ends)
    path = write(tmp_path, PACKERS[packed](data))
    reading = read_file(path, format if given == "stated" else "auto")
    assert reading.format == format
    assert rows_of(reading.log) == ROWS


@pytest.mark.parametrize("format", WORDS)
@pytest.mark.parametrize("given", ["auto", "stated"])
def test_word_formats(tmp_path: Path, format: str, given: str) -> None:
    reading = read_file(write(tmp_path, WORDS[format]), format if given == "stated" else "auto")
    expected = [("10", "7"), ("10", "8"), ("2", "7")] + [("3", "9")] * (3 if format == "seq" else 0)
    assert reading.format == format
    assert rows_of(reading.log) == [(*row, None, None) for row in expected]


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("user_id,item_id", "a,b", ("a", "b", None, None)),
        ("timestamp,movieId,userId", "5,b,a", ("a", "b", None, 5.0)),
        ("User,Title,Item,Rating", "a,any text,b,4.5", ("a", "b", 4.5, None)),
        ('"user","item"', '"a, b","say ""x"""', ("a, b", 'say "x"', None, None)),
        ("\ufeffuser,item", "é,ü", ("é", "ü", None, None)),
        ("\n\nuser,item", " a , b ", ("a", "b", None, None)),
        ("user,item,rating", "a,b,+1e-1", ("a", "b", 0.1, None)),
        ("timestamp\tmovieId\tuserId", "5\tb\ta", ("a", "b", None, 5.0)),
        ("User\tTitle\tItem\tRating", "a\tany, text\tb\t4.5", ("a", "b", 4.5, None)),
    ],
)
def test_headers_choose_columns(tmp_path: Path, header: str, row: str, expected: tuple[object, ...]) -> None:
    assert rows_of(read_file(write(tmp_path, f"{header}\n{row}\n".encode())).log) == [expected]


ODD = [
    "",
    " ",
    "a b",
    "é",
    "7.5",
    "nan",
    "inf",
    "-1",
    "1e400",
    "1_0",
    '"',
    '"a"',
    '"a',
    '"a"b',
    '5" x',
    '"1"',
    "9" * 19,
    "9" * 30,
    "x" * 300,
]
ODD += [
    "٣",
    "a:b",
    ":",
    "007",
    "-0",
    "+3",
    " 12",
    "12 ",
    "0x10",
    "0",
    "-7",
    "1e3",
    "5.",
    ".5",
    "NaN",
    "null",
    "\x1f",
    "9223372036854775807",
]
CELL = st.one_of(st.integers(-5, 30).map(str), st.sampled_from(ODD))
SOUND = st.one_of(
    st.integers(0, 30).map(str), st.sampled_from(["a", "a b", "é", "7.5", '"a"', '5" x', "007", "-0", " 12", "+3", "0x10", "9" * 18])
)
FIGURE = st.one_of(st.integers(0, 30).map(str), st.sampled_from(["7.5", "+3", " 12", "007", "1e3", "5.", ".5", "0"]))
#: Mostly rows in which nothing is wrong, else hardly a table would be read whole.
ROW = st.one_of(
    st.tuples(SOUND, SOUND, FIGURE, FIGURE).map(list), st.tuples(CELL, CELL, CELL, CELL).map(list), st.lists(CELL, min_size=3, max_size=5)
)
SOUND_ROWS = st.lists(st.tuples(SOUND, SOUND, FIGURE, FIGURE).map(list), min_size=1, max_size=8)
ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"])
TEXTS = st.text('12 ,\t:\n\r".eE-naif', max_size=60).map(str.encode)
SEPARATED = {",": "csv", ";": "csv", "|": "csv", "\t": "u.data", "::": "ratings.dat"}
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MISSING = ("", "nan", "na", "n/a", "null", "none", "\\n")


def slowly(text: str, separator: str) -> list[tuple[object, ...]] | None:
    """Read user, item, rating and timestamp line by line with nothing but the standard library; None where a line is not well formed."""
    out: list[tuple[object, ...]] = []
    if separator == "::" and "\x1f" in text:
        return None
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if not line.strip(BLANKS):
            continue
        try:
            quoted = separator in ",;|" and '"' in line
            fields = next(csv.reader([line], delimiter=separator, strict=True)) if quoted else line.split(separator)
        except csv.Error:
            return None
        if len(fields) != 4:
            return None
        user, item, rating, time = (field.strip(BLANKS) for field in fields)
        for token in (user, item):
            wide = re.fullmatch("-?[0-9]+", token, re.ASCII) and abs(int(token)) >= 2**63
            if not token or len(token) > 256 or wide:
                return None
        if not (NUMBER.fullmatch(rating) or rating.lower() in MISSING) or not NUMBER.fullmatch(time):
            return None
        stars, seconds = float(rating) if NUMBER.fullmatch(rating) else None, float(time)
        if (stars is not None and abs(stars) > 1e6) or not 0 <= seconds < 2**53:
            return None
        out.append((user, item, stars, seconds))
    return out or None


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(CELL, min_size=3, max_size=5), min_size=1, max_size=6),
    st.sampled_from([*SEPARATED]),
    ENDS,
    st.sampled_from([8, 1 << 20]),
)
@example([["1", "2", "3", "4"]], ",", "\n", 8)
@example([["1", "2", "3", "4"], ["a", '"b', "3", "4"], ["c", 'd"', "3", "4"]], ",", "\n", 1 << 20)
def test_tables_are_read_as_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: list[list[str]], separator: str, end: str, block: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
    body = end.join(separator.join(row) for row in cells)
    data = separator.join(("user", "item", "rating", "timestamp")) + "\n" + body
    expected = slowly(body, separator)
    path = write(tmp_path, data.encode())
    if expected is None:
        with pytest.raises(DataError) as caught:
            read_file(path, SEPARATED[separator], config=config_of(path, header="yes"))
        assert "\n" not in str(caught.value)
    else:
        assert rows_of(read_file(path, SEPARATED[separator], config=config_of(path, header="yes")).log) == expected


def sequences(text: str) -> list[tuple[str, str]] | None:
    """Read ``user item_1 ... item_n`` lines with nothing but the standard library."""
    out, seen = [], set()
    for line in text.split("\n"):
        words = line.encode().split()
        if not words:
            continue
        user, *items = (word.decode() for word in words)
        bad = any(len(word) > 256 or (re.fullmatch("-?[0-9]+", word, re.ASCII) and abs(int(word)) >= 2**63) for word in (user, *items))
        if bad or not items or user in seen:
            return None
        seen.add(user)
        out += [(user, item) for item in items]
    return out or None


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=5),
    st.sampled_from([" ", "  ", "\t"]),
    st.sampled_from([8, 1 << 20]),
)
@example([[""], ["0", "0", "0", "0"]], " ", 8)
def test_sequences_are_read_as_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: list[list[str]], gap: str, block: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
    path = write(tmp_path, (text := "\n".join(gap.join(row) for row in cells)).encode())
    expected = sequences(text)
    if expected is None:
        with pytest.raises(DataError):
            read_file(path, "seq")
    else:
        assert rows_of(read_file(path, "seq").log) == [(*row, None, None) for row in expected]


GOOD = "1,2,3,4\n"
BAD_LINES = {
    "1,2,3\n": "3 fields, not 4: '1,2,3'",
    "1,2,3,4,5\n": "5 fields, not 4",
    "1,,3,4\n": "the item id is empty",
    " ,2,3,4\n": "the user id is empty",
    "1,2,good,4\n": "the rating 'good' is not a finite number",
    "1,2,inf,4\n": "the rating 'inf' is not a finite number",
    "1,2,3,\n": "the timestamp '' is missing",
    "1,2,3,-inf\n": "the timestamp '-inf' is not a finite number",
    "1,2,3,1_0\n": "the timestamp '1_0' is not a finite number",
    "1,2,3,1e300\n": "the timestamp '1e300' is not plausible",
    "1,2,3,1e999\n": "the timestamp '1e999' is not plausible",
    "1,2,3,-1\n": "the timestamp '-1' is not plausible",
    "1,2,1e7,4\n": "the rating '1e7' is not plausible",
    "9223372036854775808,2,3,4\n": "the user id 9223372036854775808 does not fit in 64 bits",
    f"1,{'x' * 257},3,4\n": "the item id is longer than 256 characters",
    '"1,2,3,4\n': "broken quotes",
    "1,2,3,4\0\n": "a NUL byte; this is not a text file",
    "1,2\r,3,4\n": "a carriage return inside the line",
    "é,2,3,4\n": "not UTF-8 (byte 0xe9)",
    f"1,2,3,{'4' * 2000}\n": "longer than 1,000 bytes",
}


@pytest.mark.parametrize(("line", "fault"), BAD_LINES.items(), ids=range(len(BAD_LINES)))
@pytest.mark.parametrize("before", [0, 1, 4])
def test_the_first_bad_line_is_named(tmp_path: Path, line: str, fault: str, before: int) -> None:
    # The first line of all says how many columns there are, so a line of another width is never the first.
    before += "fields" in fault
    path = write(tmp_path, (GOOD * before + line + GOOD + "also,bad\n").encode("latin-1"), "log.csv")
    with pytest.raises(DataError) as caught:
        read_file(path, "csv", limits=Limits(line_bytes=1000))
    text = str(caught.value)
    assert text.startswith(f"{path}: line {before + 1}: ") and fault in text and "\n" not in text


def test_blank_lines_count_as_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 5: 1 fields"):
        read_file(write(tmp_path, b"user,item,rating\n\n1,2,3\n\r\nbad\n"))


@pytest.mark.parametrize(
    ("data", "format", "fault"),
    [
        (b"1 2\n3\n", "pairs", "line 2: 1 words, not 'user item'"),
        (b"1 2\n1 2 3\n", "pairs", "line 2: 3 words, not 'user item'"),
        (b"1 2 3\n4\n", "seq", "line 2: a user without items"),
        (b"1 2 3\n\n1 4\n", "seq", "line 3: user 1 already stands on line 1"),
        (b"1 2 99999999999999999999\n", "seq", "line 1: the item id 99999999999999999999 does not fit"),
        (b"hello world\nthis is prose\n", "auto", "line 1: cannot tell the format; set data.format"),
        (b"one\n", "auto", "line 1: cannot tell the format"),
        (b"\n \n", "auto", "no line with anything on it"),
        (b"\n", "u.data", "no line with anything on it"),
        (b"user,item\n", "csv", "no interaction in it"),
        (b"1,2,3,4,5\n", "csv", "line 1: 5 columns without a header"),
        (b"user,item,user\n1,2,3\n", "csv", "line 1: two columns are named user"),
        (b"1\t2\t3\t4\n", "inter", "line 1: an .inter file begins with a header"),
        (b"a:token\tb:token\n1\t2\n", "inter", "line 1: none of the columns a, b is known as the user: set data.columns.user"),
        (b"1 2 3 4\n", "u.data", "line 1: 1 columns|line 1: 1 fields, not 4"),
        (b"PK\x03\x04....", "auto", "a zip archive; unpack it"),
        (b"1\t2\t3\t4\n", "parquet", "damaged or no Parquet file"),
        (b"1\t2\t3\t4\n", "orc", "data.format = 'orc': choose from auto, u.data"),
        (b"", "auto", "empty file"),
        (gzip.compress(b"", mtime=0), "auto", "empty file"),
    ],
)
def test_other_faults(tmp_path: Path, data: bytes, format: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        read_file(write(tmp_path, data), format)
    assert "\n" not in str(caught.value)


def test_sequence_lines_may_be_long_but_not_endless(tmp_path: Path) -> None:
    path = write(tmp_path, b"1 " + b"2 " * 3000 + b"\n")
    limits = Limits(line_bytes=1000, sequence_line_bytes=10_000)
    assert read_file(path, "seq", limits=limits).log.users.size == 3000
    with pytest.raises(DataError, match="line 1: longer than 5,000 bytes"):
        read_file(path, "seq", limits=Limits(sequence_line_bytes=5000))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), TEXTS), st.sampled_from(["auto", *FORMATS]))
def test_any_bytes_give_rows_or_a_one_line_error(tmp_path: Path, data: bytes, format: str) -> None:
    path = write(tmp_path, data)
    try:
        log = read_file(path, format).log
    except DataError as error:
        assert "\n" not in str(error) and str(error)
    else:
        assert log.users.size == log.items.size > 0


def test_many_rows_over_several_blocks_keep_their_order(tmp_path: Path) -> None:
    count = 600_000
    users, items = np.arange(count) % 977, np.arange(count) * 7919 % 10_007
    text = "\n".join(f"{u},{i},1,{n}" for n, (u, i) in enumerate(zip(users.tolist(), items.tolist(), strict=True)))
    log = read_file(write(tmp_path, text.encode())).log
    assert len(text) > (8 << 20), "more than one block"
    assert np.array_equal(log.user_tokens[log.users].astype(int), users)
    assert np.array_equal(log.item_tokens[log.items].astype(int), items)
