"""A short run of benchmarks/fuzz: damaged messages give a result or a typed error, in bounded memory and time."""

import os
import signal
from multiprocessing import active_children

import numpy as np
import pytest

from benchmarks.fuzz.decoders import decoders
from benchmarks.fuzz.feeders import by_others, feed, how_it_ended
from benchmarks.fuzz.halves import halves
from benchmarks.fuzz.mutants import mutants
from benchmarks.fuzz.target import fuzz, large
from chordsim.engine.records import BLOBS, SIM, call_from_record
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload

MESSAGES = 40_000
MOST_BYTES, MOST_S = 16 * 2**20, 0.5


def test_no_decoder_crashes_hangs_or_swells():
    targets = decoders() | halves()
    total = sum(target.share for target in targets.values())
    for name, target in targets.items():
        fed, crashes, slowest = fuzz(name, target, max(64, round(MESSAGES * target.share / total)), seed=5)
        assert not crashes, crashes[0]
        assert fed >= 64
        assert slowest < MOST_S, name
        assert large(target, 64 * 1024, np.random.default_rng(5)) < MOST_BYTES, name


def test_mutants_are_as_announced():
    seeds = [bytes(range(40)), b"ab" * 10]
    rows = mutants(seeds, 3000, np.random.default_rng(1))
    assert len(rows) == 3000
    same = sum(row in seeds for row in rows)
    assert 0.1 < same / 3000 < 0.6
    assert {len(row) for row in rows} >= {40, 20, 41, 21, 5}


def test_offsets_that_overflow_do_not_pass():
    with pytest.raises(ValueError, match="offsets"):
        Ragged(np.zeros(3, np.uint8), np.array([0, 2**63 - 1, -(2**63), -1, 3]))


@pytest.mark.parametrize("header", ["[" * 100_000, "[]", "null", '{"a": ' * 50_000, "NaN", ""])
def test_a_header_of_any_text_is_a_typed_error(header):
    from flwr.app import ConfigRecord, RecordDict

    from chordsim.engine.cell import pack_columns

    sim = ConfigRecord({"cell": 0, "header": header, "columns": pack_columns({"device_id": np.arange(2)})})
    with pytest.raises(BadPayload):
        call_from_record(RecordDict({SIM: sim, BLOBS: ConfigRecord({})}))


def test_how_a_process_ended_is_told_in_words():
    assert how_it_ended(-signal.SIGSEGV) == "signal 11 (SIGSEGV)" and how_it_ended(3) == "exit code 3"
    assert by_others(-signal.SIGKILL, 0) and not by_others(-signal.SIGKILL, 1) and not by_others(-signal.SIGKILL, None)
    assert not by_others(-signal.SIGSEGV, 0) and not by_others(3, 0)


@pytest.mark.slow
def test_a_feeder_that_is_killed_is_told_and_its_piece_is_fed_again():
    lines = feed([(20_000, 1), (2_000_000, 2), (20_000, 3)], processes=1)
    first = next(lines)
    assert first["seed"] == 1 and not first["crashes"]
    (process,) = active_children()
    os.kill(process.pid, signal.SIGKILL)
    ended = next(lines)
    assert (ended["seed"], ended["ended"]) == (2, "signal 9 (SIGKILL)") and isinstance(ended["decoder"], str) and ended["after"] >= 0
    lines.close()
    assert not active_children(), "it leaves no process"
    assert [line["seed"] for line in feed([(20_000, 2), (20_000, 3)], processes=2)] in ([2, 3], [3, 2])
