"""Frames: golden bytes, round trips, and that any byte string gives a message or a typed error."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.errors import ScenarioError, WireError
from chordsim.ragged import Ragged
from chordsim.wire import errors
from chordsim.wire.errors import ERROR_NAMES, FRAME_ERRORS, FrameError
from chordsim.wire.frame import OVERHEAD_BYTES, check_method_ids, decode_rows, encode_rows, method_id
from chordsim.wire.limits import KIND_CODES, KINDS, MAX_PAYLOAD_BYTES

kinds = st.sampled_from(KINDS)
rounds = st.integers(0, 2**32 - 1)
names = st.text(min_size=1, max_size=20)


def encode(kind, method, round, payload):
    """Frame one payload."""
    return encode_rows(kind, method, round, Ragged.of_rows([payload]), np.ones(1, bool))[0]


def decode(data, kind, method, round):
    """Return the payload of one frame, or raise why there is none."""
    payloads, codes = decode_rows(kind, method, round, Ragged.of_rows([data]))
    if codes[0]:
        raise FRAME_ERRORS[codes[0] - 1]
    return payloads[0]


def frame(magic=b"CH", version=1, kind=2, method="chord", round=7, length=None, payload=b"plan", crc=None):
    """Build a frame by hand, with any field wrong."""
    length = len(payload) if length is None else length
    body = struct.pack("<2sBBHII", magic, version, kind, zlib.crc32(method.encode()) & 0xFFFF, round, length) + payload
    return body + struct.pack("<I", zlib.crc32(body) if crc is None else crc)


def test_golden_bytes():
    assert encode("prescription", "chord-plus", 3, bytes([0x1B, 0xE4])).hex() == ("43480102b81e03000000020000001be4bedde035")


def test_kind_codes_are_part_of_the_format():
    assert KIND_CODES == {"profile": 1, "prescription": 2, "candidates": 3, "update": 4, "report": 5, "asks": 6, "rows": 7}


def test_error_codes_are_distinct_and_in_order():
    assert [e.code for e in FRAME_ERRORS] == list(range(1, len(ERROR_NAMES)))
    assert len(set(ERROR_NAMES)) == len(ERROR_NAMES)
    assert all(issubclass(e, WireError) for e in FRAME_ERRORS)


@given(kinds, names, rounds, st.binary(max_size=300))
def test_round_trip(kind, method, round, payload):
    data = encode(kind, method, round, payload)
    assert len(data) == OVERHEAD_BYTES + len(payload) == 18 + len(payload)
    assert decode(data, kind, method, round) == payload


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.Absent),
        (frame()[:17], errors.Truncated),
        (frame()[:-1], errors.Truncated),
        (frame(length=5), errors.Truncated),
        (frame(magic=b"HC"), errors.BadMagic),
        (frame(version=2), errors.BadVersion),
        (frame(kind=0), errors.BadKind),
        (frame(kind=8), errors.BadKind),
        (frame(kind=1), errors.WrongKind),
        (frame(method="diet"), errors.WrongMethod),
        (frame(round=6), errors.WrongRound),
        (frame(length=2**32 - 1), errors.Oversized),
        (frame() + b"x", errors.TrailingBytes),
        (frame(length=3), errors.TrailingBytes),
        (frame(crc=0), errors.BadCrc),
    ],
)
def test_each_fault_has_its_error(data, error):
    with pytest.raises(error):
        decode(data, "prescription", "chord", 7)


SOUND = bytes(encode("report", "chord", 1, bytes(range(40))))


@given(st.integers(0, len(SOUND) - 8), st.binary(max_size=200))
@settings(max_examples=300)
def test_decode_is_total_on_noise(begun, noise):
    """Noise alone, which stops at the first bytes, and after more and more of a sound frame."""
    data = SOUND[:begun] + noise
    with pytest.raises(FrameError):
        decode(data, "report", "chord", 1)


@given(st.binary(max_size=64), st.data())
@settings(max_examples=300)
def test_any_mutation_is_noticed(payload, data):
    sound = bytearray(encode("profile", "chord", 9, payload))
    where = data.draw(st.integers(0, len(sound) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"]))
    if how == "flip":
        sound[where] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "cut":
        del sound[where:]
    elif how == "insert":
        sound.insert(where, data.draw(st.integers(0, 255)))
    else:
        sound = sound * 2
    with pytest.raises(FrameError):
        decode(bytes(sound), "profile", "chord", 9)


def test_decoding_a_hostile_length_allocates_little():
    data = frame(length=2**26 - 1, payload=bytes(64_000))
    tracemalloc.start()
    try:
        with pytest.raises(errors.Truncated):
            decode(data, "prescription", "chord", 7)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["profile", "report"])
def test_encode_holds_the_limit(kind):
    assert len(encode(kind, "m", 1, bytes(MAX_PAYLOAD_BYTES[kind]))) == MAX_PAYLOAD_BYTES[kind] + 18
    with pytest.raises(errors.Oversized):
        encode(kind, "m", 1, bytes(MAX_PAYLOAD_BYTES[kind] + 1))


@pytest.mark.parametrize("round", [-1, 2**32])
def test_encode_refuses_a_round_that_does_not_fit(round):
    with pytest.raises(ValueError, match="32 bits"):
        encode("report", "m", round, b"")


def test_methods_that_share_an_id_are_refused():
    names = {}
    for name in (f"method-{i}" for i in range(2**16 + 1)):
        if method_id(name) in names:
            break
        names[method_id(name)] = name
    twin = (names[method_id(name)], name)
    check_method_ids(["chord", "chord-plus", "fp32", "cloud-only"])
    with pytest.raises(ScenarioError, match=f"{twin[0]!r} and {twin[1]!r}"):
        check_method_ids(["chord", *twin])
