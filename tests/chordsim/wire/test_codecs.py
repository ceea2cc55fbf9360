"""Payload codecs: golden bytes, round trips, and verdicts on hostile rows."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chordsim.methods import BINDINGS, Budgets
from chordsim.methods.exchange import blob_digest
from chordsim.ragged import Ragged
from chordsim.wire.codes import decode_codes, decode_numbers, number_bytes, pack_codes, pack_numbers, packed_bytes, unpack_codes
from chordsim.wire.errors import BadPayload
from chordsim.wire.floats import BUDGET_BYTES, pack_budgets, pack_floats, unpack_budgets, unpack_floats
from chordsim.wire.reports import FLAG_UNVERIFIED, REPORT_BYTES, Reports, pack_reports, unpack_reports

noise = st.lists(st.binary(max_size=40), max_size=10)


def bytes_of(*rows):
    return Ragged.of_rows(rows)


# 2-bit codes


def test_golden_codes():
    codes = np.array([[0, 1, 2, 3, 3, 2, 1, 0], [1, 1, 1, 1, 0, 0, 0, 3]], np.uint8)
    assert pack_codes(codes).tobytes().hex() == "e41b55c0"
    assert pack_codes(np.array([[3, 1, 2, 0, 2]], np.uint8)).tobytes().hex() == "2702"


def test_a_plan_of_768_channels_is_192_bytes():
    assert packed_bytes(768) == 192
    assert pack_codes(np.zeros((5, 768), np.uint8)).shape == (5, 192)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(0, 6), st.integers(0, 33)), elements=st.integers(0, 3)))
def test_codes_round_trip(codes):
    packed = pack_codes(codes)
    naive = [sum(int(c) << 2 * (i % 4) for i, c in enumerate(row) if i // 4 == b) for row in codes for b in range(packed.shape[1])]
    assert packed.reshape(-1).tolist() == naive
    assert np.array_equal(unpack_codes(packed, codes.shape[1]), codes)
    back, sound = decode_codes(Ragged.of_matrix(packed), codes.shape[1])
    assert sound.all()
    assert np.array_equal(back, codes)


def test_a_code_above_3_is_refused():
    with pytest.raises(ValueError, match="code 4"):
        pack_codes(np.array([[4]], np.uint8))


@pytest.mark.parametrize(("packed", "channels"), [([[0]], 5), ([[0, 0]], 4), ([[0b01000000]], 3), ([[0, 0b100]], 5)])
def test_unpack_refuses_width_and_padding(packed, channels):
    with pytest.raises(BadPayload):
        unpack_codes(np.array(packed, np.uint8), channels)


def test_decode_codes_flags_only_the_bad_rows():
    codes, sound = decode_codes(bytes_of(b"\x1b\x03", b"", b"\x1b\x07", b"\x1b\x03\x00", b"\x00\x01"), 5)
    assert sound.tolist() == [True, False, False, False, True]
    assert codes.tolist() == [[3, 2, 1, 0, 3], [0] * 5, [0] * 5, [0] * 5, [0, 0, 0, 0, 1]]


@given(st.integers(2, 4096), st.data())
def test_a_plans_number_takes_log2_of_how_many_there_are_in_whole_bytes(plans, data):
    numbers = np.array(data.draw(st.lists(st.integers(0, plans - 1), max_size=6)), np.int64)
    packed = pack_numbers(numbers, plans)
    assert packed.shape == (numbers.size, 1 if plans <= 256 else 2) and number_bytes(plans) == (1 if plans <= 256 else 2)
    assert [int.from_bytes(row.tobytes(), "little") for row in packed] == numbers.tolist()
    back, sound = decode_numbers(Ragged.of_matrix(packed), plans)
    assert sound.all() and np.array_equal(back, numbers)


@given(noise, st.integers(2, 4096))
def test_decode_numbers_is_total(rows, plans):
    numbers, sound = decode_numbers(Ragged.of_rows(rows), plans)
    fits = [len(row) == number_bytes(plans) and int.from_bytes(row, "little") < plans for row in rows]
    assert sound.tolist() == fits and ((numbers >= 0) & (numbers < plans)).all() and not numbers[~sound].any()


@given(noise, st.integers(0, 20))
def test_decode_codes_is_total(rows, channels):
    codes, sound = decode_codes(Ragged.of_rows(rows), channels)
    assert codes.shape == (len(rows), channels)
    for row, code, fine in zip(rows, codes, sound, strict=True):
        assert not fine or pack_codes(code[None]).tobytes() == row


# Numbers


def test_golden_floats():
    assert pack_floats(np.array([[1.0, -2.5]])).tobytes().hex() == "0000803f000020c0"
    assert pack_floats(np.array([[1.0, -2.5]]), 16).tobytes().hex() == "003c00c1"


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(0, 9)), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_floats_round_trip(values):
    back, sound = unpack_floats(Ragged.of_matrix(pack_floats(values)), values.shape[1])
    assert sound.all()
    assert np.array_equal(back, values)


def test_finite_numbers_never_become_infinite():
    back, sound = unpack_floats(Ragged.of_matrix(pack_floats(np.array([[1e6, -1e300]]), 16)), 2, 16)
    assert sound.all()
    assert back.tolist() == [[65504.0, -65504.0]]


@pytest.mark.parametrize("bits", [16, 32])
def test_not_finite_rows_are_flagged(bits):
    values = np.array([[1, 2], [np.nan, 0], [0, np.inf], [-np.inf, 0], [3, 4]], np.float32)
    back, sound = unpack_floats(Ragged.of_matrix(pack_floats(values, bits)), 2, bits)
    assert sound.tolist() == [True, False, False, False, True]
    assert back.tolist() == [[1, 2], [0, 0], [0, 0], [0, 0], [3, 4]]


@given(noise, st.integers(0, 8), st.sampled_from([16, 32]))
def test_unpack_floats_is_total(rows, count, bits):
    values, sound = unpack_floats(Ragged.of_rows(rows), count, bits)
    assert values.shape == (len(rows), count)
    assert np.isfinite(values).all()
    assert all(len(row) == count * bits // 8 for row, fine in zip(rows, sound, strict=True) if fine)


# Budgets


def budgets(memory, latency, bits, speed):
    return Budgets(np.array([memory], np.int64), np.array([latency], float), np.array([bits], float), np.array([speed], float))


def test_golden_budgets():
    assert BUDGET_BYTES == 20
    assert pack_budgets(budgets(1_000_000, 0.5, 2.0, 1e9)).tobytes().hex() == "40420f00000000000000003f00000040286b6e4e"


positive = st.floats(0, 1e300, allow_nan=False)


@given(st.integers(0, 2**63 - 1), positive, positive, st.floats(1e-30, 1e300))
def test_budgets_as_sent_never_exceed_the_phone(memory, latency, bits, speed):
    back, sound = unpack_budgets(pack_budgets(budgets(memory, latency, bits, speed)))
    assert sound.all()
    assert back.memory_bytes[0] == memory
    for got, had in ((back.latency_s, latency), (back.bits, bits), (back.macs_per_s, speed)):
        assert got[0] <= had
        assert got[0] >= min(had, 3.4028234e38) * (1 - 2**-22) - 1e-44


@pytest.mark.parametrize(
    "fields",
    [(2**63, 1, 1, 1), (1, float("nan"), 1, 1), (1, 1, float("inf"), 1), (1, -1, 1, 1), (1, 1, -0.5, 1), (1, 1, 1, 0), (1, 1, 1, -3)],
)
def test_budgets_that_cannot_be_are_flagged(fields):
    good, bad = struct.pack("<Qfff", 5, 1, 2, 3), struct.pack("<Qfff", *fields)
    back, sound = unpack_budgets(bytes_of(good, bad).matrix(20)[0])
    assert sound.tolist() == [True, False]
    assert [x.tolist() for x in (back.memory_bytes, back.latency_s, back.bits, back.macs_per_s)] == [[5, 0], [1, 0], [2, 0], [3, 1]]


def test_budgets_of_another_width_and_negative_memory_are_refused():
    with pytest.raises(BadPayload):
        unpack_budgets(np.zeros((2, 19), np.uint8))
    with pytest.raises(ValueError, match="negative"):
        pack_budgets(budgets(-1, 1, 1, 1))
    assert unpack_budgets(np.zeros((0, 20), np.uint8))[1].size == 0


@given(hnp.arrays(np.uint8, st.tuples(st.integers(0, 8), st.just(20))))
@settings(max_examples=300)
def test_unpack_budgets_is_total(packed):
    back, sound = unpack_budgets(packed)
    assert np.all(back.memory_bytes >= 0)
    assert np.all(back.macs_per_s > 0)
    for numbers in (back.latency_s, back.bits, back.macs_per_s):
        assert np.isfinite(numbers).all() and np.all(numbers >= 0)
    assert sound.shape == (packed.shape[0],)


# Reports


def test_golden_report():
    made = Reports(np.array([1.5, np.nan]), np.array([0, 2], np.uint8), np.array([0, 1], np.uint8))
    assert REPORT_BYTES == 6
    assert pack_reports(made).tobytes().hex() == "030000000000000000000201"


@given(
    st.lists(
        st.one_of(st.integers(2, 200).map(lambda r: (r / 2, 0, 0)), st.tuples(st.just(np.nan), st.integers(0, 3), st.integers(0, 1))),
        max_size=9,
    )
)
def test_reports_round_trip(rows):
    rank, refusal, flags = (np.array([row[i] for row in rows], t) for i, t in enumerate((float, np.uint8, np.uint8)))
    back, sound = unpack_reports(Ragged.of_matrix(pack_reports(Reports(rank, refusal, flags))), 100)
    assert sound.all()
    assert np.array_equal(back.rank, rank, equal_nan=True)
    assert np.array_equal(back.refusal, refusal)
    assert np.array_equal(back.flags, flags)


@pytest.mark.parametrize(
    "fields", [(1, 0, 0), (202, 0, 0), (2**32 - 1, 0, 0), (0, len(BINDINGS), 0), (0, 0, 2), (4, 1, 0), (4, 0, FLAG_UNVERIFIED)]
)
def test_reports_that_cannot_be_are_flagged(fields):
    back, sound = unpack_reports(bytes_of(struct.pack("<IBB", 8, 0, 0), struct.pack("<IBB", *fields), b"short"), 100)
    assert sound.tolist() == [True, False, False]
    assert back.rank[0] == 4
    assert np.isnan(back.rank[1:]).all()
    assert back.refusal.tolist() == back.flags.tolist() == [0, 0, 0]


@pytest.mark.parametrize("rank", [0.5, 0.0, 1.25, -1.0, 2.0**31, np.inf])
def test_a_rank_that_cannot_be_is_not_sent(rank):
    with pytest.raises(ValueError, match="rank"):
        pack_reports(Reports(np.array([rank]), np.zeros(1, np.uint8), np.zeros(1, np.uint8)))


@given(st.lists(st.one_of(st.binary(max_size=9), st.binary(min_size=6, max_size=6)), max_size=10), st.integers(1, 10_000))
def test_unpack_reports_is_total(rows, n_items):
    back, sound = unpack_reports(Ragged.of_rows(rows), n_items)
    ranked = ~np.isnan(back.rank)
    assert np.all((back.rank[ranked] >= 1) & (back.rank[ranked] <= n_items))
    assert not np.any(ranked & ~sound)
    assert np.all(back.refusal < len(BINDINGS))


# Blobs


def test_blob_digest():
    assert blob_digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
