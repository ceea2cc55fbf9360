"""Batched frames are the one-by-one frames, row for row, good and bad, and fast enough for a fleet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.ragged import Ragged
from chordsim.wire.errors import ERROR_NAMES, FrameError, Oversized
from chordsim.wire.frame import decode_rows, encode_rows
from chordsim.wire.limits import KINDS
from tests.chordsim.wire.one_by_one import Header, decode, encode

KIND, METHOD, ROUND = "prescription", "chord-plus", 12


def one_by_one(rows, kind=KIND, method=METHOD, round=ROUND):
    payloads, codes = [], []
    for row in rows:
        try:
            payloads.append(decode(row, expect=Header(kind, method, round)).payload)
            codes.append(0)
        except FrameError as error:
            payloads.append(b"")
            codes.append(error.code)
    return payloads, codes


def mangle(draw, row):
    """Return a frame with one thing wrong, or none."""
    how = draw(st.sampled_from(["keep", "drop", "flip", "cut", "grow", "noise", "kind", "method", "round", "oversize"]))
    payload = row[14:-4]
    where = draw(st.integers(0, max(len(row) - 1, 0)))
    match how:
        case "drop":
            return b""
        case "flip" if row:
            return row[:where] + bytes([row[where] ^ (1 << draw(st.integers(0, 7)))]) + row[where + 1 :]
        case "cut":
            return row[:where]
        case "grow":
            return row + draw(st.binary(min_size=1, max_size=5))
        case "noise":
            return draw(st.binary(max_size=60))
        case "kind":
            return encode(draw(st.sampled_from(KINDS)), METHOD, ROUND, payload)
        case "method":
            return encode(KIND, "diet", ROUND, payload)
        case "round":
            return encode(KIND, METHOD, draw(st.integers(0, 20)), payload)
        case "oversize" if row:
            return row[:10] + (2**32 - 1).to_bytes(4, "little") + row[14:]
    return row


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans()), max_size=12))
def test_encode_rows_equals_encode(rows):
    payloads = Ragged.of_rows(p for p, _ in rows)
    present = np.array([p for _, p in rows], bool)
    want = [encode(KIND, METHOD, ROUND, p) if sent else b"" for p, sent in rows]
    assert list(encode_rows(KIND, METHOD, ROUND, payloads, present)) == want


@given(st.data())
@settings(max_examples=300)
def test_decode_rows_equals_decode(data):
    payloads = data.draw(st.lists(st.binary(max_size=40), max_size=12))
    rows = [mangle(data.draw, encode(KIND, METHOD, ROUND, p)) for p in payloads]
    decoded, codes = decode_rows(KIND, METHOD, ROUND, Ragged.of_rows(rows))
    assert (list(decoded), codes.tolist()) == one_by_one(rows)
    assert codes.max(initial=0) < len(ERROR_NAMES)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_decode_rows_is_total_on_noise(rows):
    decoded, codes = decode_rows(KIND, METHOD, ROUND, Ragged.of_rows(rows))
    assert np.all(codes > 0)
    assert decoded.data.size == 0


def test_a_slice_of_a_chunk_decodes_alone():
    rows = encode_rows(KIND, METHOD, ROUND, Ragged.of_rows([b"a", b"bc", b"", b"d"]), np.array([True, True, True, False]))
    decoded, codes = decode_rows(KIND, METHOD, ROUND, rows.slice(1, 4))
    assert list(decoded) == [b"bc", b"", b""]
    assert [ERROR_NAMES[c] for c in codes] == ["ok", "ok", "absent"]


def test_no_rows():
    rows = encode_rows(KIND, METHOD, ROUND, Ragged.empty(0), np.zeros(0, bool))
    decoded, codes = decode_rows(KIND, METHOD, ROUND, rows)
    assert (len(rows), len(decoded), codes.size) == (0, 0, 0)


def test_encode_rows_refuses_what_does_not_fit():
    big = Ragged.of_rows([b"", bytes(5000)])
    with pytest.raises(Oversized):
        encode_rows("report", METHOD, 1, big, np.array([True, True]))
    assert len(encode_rows("report", METHOD, 1, big, np.array([True, False]))[0]) == 18
    with pytest.raises(ValueError, match="present"):
        encode_rows("report", METHOD, 1, big, np.array([True]))


@pytest.mark.parametrize("equal", [True, False])
def test_a_fleet_comes_back_from_its_frames(equal):
    rng = np.random.default_rng(0)
    lengths = np.full(100_000, 192) if equal else rng.integers(0, 384, 100_000)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    payloads = Ragged(rng.integers(0, 256, offsets[-1], dtype=np.uint8), offsets)
    rows = encode_rows(KIND, METHOD, ROUND, payloads, np.ones(100_000, bool))
    decoded, codes = decode_rows(KIND, METHOD, ROUND, rows)
    assert not codes.any()
    assert np.array_equal(decoded.data, payloads.data)
    assert np.array_equal(decoded.offsets, payloads.offsets)
