"""Reading files: both readers agree on what is well formed, and a bad line is named by its number."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chordsim.data import columns, lines
from chordsim.data.content import Limits
from chordsim.data.formats import FORMATS, read_file
from chordsim.data.raw import RawLog
from chordsim.errors import DataError

ROWS = [("10", "7", 4.0, 100.0), ("2", "7", 3.5, 99.0), ("10", "8", 5.0, 100.0)]
SAMPLES = {
    "u.data": b"10\t7\t4\t100\n2\t7\t3.5\t99\n10\t8\t5\t100\n",
    "inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n10\t7\t4\t100\n2\t7\t3.5\t99.0\n10\t8\t5\t100\n",
    "csv": b"10,7,4.0,100\n2,7,3.5,99\n10,8,5.0,100\n",
    "ratings.dat": b"10::7::4::100\n2::7::3.5::99\n10::8::5::100\n",
}
WORDS = {"pairs": b"10 7\n10 8\n2 7\n", "seq": b"10 7 8\n2 7\n3 9 9 9\n"}


def write(folder: Path, data: bytes, name: str = "data.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def rows_of(log: RawLog) -> list[tuple[object, ...]]:
    ratings = [None] * log.users.size if log.ratings is None else log.ratings.tolist()
    times = [None] * log.users.size if log.timestamps is None else log.timestamps.tolist()
    return list(zip(log.user_tokens[log.users].tolist(), log.item_tokens[log.items].tolist(), ratings, times, strict=True))


@pytest.mark.parametrize("format", SAMPLES)
@pytest.mark.parametrize("given", ["auto", "stated"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"no last"])
def test_delimited_formats(tmp_path: Path, format: str, given: str, packed: bool, ends: bytes) -> None:
    data = SAMPLES[format]
    data = data[:-1] if ends == b"no last" else data.replace(b"\n", ends)
    path = write(tmp_path, gzip.compress(data) if packed else data)
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


ODD = ["", " ", "a b", "é", "7.5", "nan", "inf", "-1", "1e400", "1_0", '"', '"a"', '"a', "9" * 19, "9" * 30, "x" * 300, "٣", "a:b", ":"]
CELL = st.one_of(st.integers(-5, 30).map(str), st.sampled_from(ODD))
ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"])
TEXTS = st.text('12 ,\t:\n\r".eE-naif', max_size=60).map(str.encode)
DELIMITERS = st.sampled_from([b"\t", b",", b"::"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CELL, min_size=3, max_size=5), min_size=1, max_size=5), DELIMITERS, ENDS)
@example([["1", "2", "3", "4"]], b",", "\n")
def test_the_fast_reader_never_disagrees_with_the_slow_one(cells: list[list[str]], delimiter: bytes, end: str) -> None:
    data = end.join(delimiter.decode().join(row) for row in cells).encode()
    layout = lines.Layout(delimiter, ("user", "item", "rating", "timestamp"), 0, 1)
    fast = columns.read_delimited(data, layout)
    if fast is not None:
        slow = lines.read_delimited(Path("f"), data, layout)
        assert rows_of(fast) == rows_of(slow)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=5), st.sampled_from([" ", "  ", "\t"]), st.booleans())
def test_the_fast_word_reader_never_disagrees_with_the_slow_one(cells: list[list[str]], gap: str, sequence: bool) -> None:
    data = "\n".join(gap.join(row) for row in cells).encode()
    fast = columns.read_words(data, sequence)
    if fast is not None:
        assert rows_of(fast) == rows_of(lines.read_words(Path("f"), data, 0, sequence))


def test_well_formed_files_take_the_fast_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> RawLog:
        raise AssertionError("the slow reader was asked")

    monkeypatch.setattr(lines, "read_delimited", slow)
    monkeypatch.setattr(lines, "read_words", slow)
    for format, data in (SAMPLES | WORDS).items():
        assert rows_of(read_file(write(tmp_path, data), format).log)


GOOD = "1,2,3,4\n"
BAD_LINES = {
    "1,2,3\n": "3 fields, not 4: '1,2,3'",
    "1,2,3,4,5\n": "5 fields, not 4",
    "1,,3,4\n": "the item id is empty",
    " ,2,3,4\n": "the user id is empty",
    "1,2,nan,4\n": "the rating 'nan' is not a finite number",
    "1,2,inf,4\n": "the rating 'inf' is not a finite number",
    "1,2,,4\n": "the rating '' is not a finite number",
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
    path = write(tmp_path, (GOOD * before + line + GOOD + "also,bad\n").encode("latin-1"), "log.csv")
    with pytest.raises(DataError) as caught:
        read_file(path, "csv", limits=Limits(line_bytes=1000))
    text = str(caught.value)
    if not before and "fields" in fault:
        fault = "columns without a header"
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
        (b"1,2,3\n", "csv", "line 1: 3 columns without a header"),
        (b"user,item,user\n1,2,3\n", "csv", "line 1: two columns are named user"),
        (b"1\t2\t3\t4\n", "inter", "line 1: an .inter file begins with a header"),
        (b"a:token\tb:token\n1\t2\n", "inter", "line 1: an .inter file begins with a header"),
        (b"1 2 3 4\n", "u.data", "line 1: 1 columns|line 1: 1 fields, not 4"),
        (b"PK\x03\x04....", "auto", "a zip archive; unpack it"),
        (b"1\t2\t3\t4\n", "parquet", "data.format = 'parquet': choose from auto, u.data"),
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


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
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
