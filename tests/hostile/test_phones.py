"""One phone in five lies: honest rows do not move, the liars fail, and what was set aside is counted."""

import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chordsim.ragged import Ragged
from chordsim.wire.frame import HEADER
from chordsim.wire.reports import Reports, pack_reports
from tests.chordsim.wire.one_by_one import encode

METHODS = ("fp32", "chord-plus", "cloud-only")
HOSTILE = 3  # device ids that leave this remainder by 5
LIE_UNSERVED = {"failed", "refused", "offline"}


def hostile_rows(call):
    """Return rows of hostile phones that take part; padding repeats the last phone and takes no part."""
    return np.flatnonzero((call.columns["device_id"] % 5 == HOSTILE) & call.columns["active"]).tolist()


def with_rows(reply, kind, changed):
    """Return the reply with some messages replaced, and the lengths that it states made to agree."""
    rows = Ragged.of_rows([changed.get(n, row) for n, row in enumerate(reply.wire[kind])])
    whole = reply.columns[f"whole.{kind}"].copy()
    whole[list(changed)] = rows.lengths[list(changed)]
    return replace(reply, wire={**reply.wire, kind: rows}, columns={**reply.columns, f"whole.{kind}": whole})


def every_kind(make):
    """Return a tamperer that replaces every message of hostile phones by ``make(call, kind, frame, row)``."""

    def tamper(call, reply):
        for kind in reply.wire:
            reply = with_rows(reply, kind, {n: make(call, kind, reply.wire[kind][n], n) for n in hostile_rows(call)})
        return reply

    return tamper


def garbage(call, kind, frame, row):
    return np.random.default_rng(row).integers(0, 256, 1 + row * 7 % 90, np.uint8).tobytes()


def flipped(call, kind, frame, row):
    return frame[:-1] + bytes([frame[-1] ^ 1])


def truncated(call, kind, frame, row):
    return frame[: len(frame) // 2]


def doubled(call, kind, frame, row):
    return frame + frame


def wrong_round(call, kind, frame, row):
    return encode(kind, call.header["method"], call.header["round"] + 1, frame[HEADER.size : -4])


def wrong_method(call, kind, frame, row):
    return encode(kind, "diet", call.header["round"], frame[HEADER.size : -4])


def wrong_kind(call, kind, frame, row):
    return encode("candidates", call.header["method"], call.header["round"], frame[HEADER.size : -4])


def not_numbers(call, kind, frame, row):
    payload = frame[HEADER.size : -4]
    nan = struct.pack("<f", float("nan" if row % 2 else "inf"))
    return encode(kind, call.header["method"], call.header["round"], (nan * (len(payload) // 4 + 1))[: len(payload)])


def absurd_numbers(call, kind, frame, row):
    payload = frame[HEADER.size : -4]
    return encode(kind, call.header["method"], call.header["round"], (struct.pack("<f", 3e38) * (len(payload) // 4 + 1))[: len(payload)])


class Replay:
    """Sends what the phone sent in an earlier round."""

    def __init__(self):
        self.first = {}

    def __call__(self, call, kind, frame, row):
        return self.first.setdefault((call.header["method"], kind, int(call.columns["device_id"][row])), frame)


@pytest.fixture
def scenario(tiny):
    return tiny("rounds.count=3", methods=METHODS)


_HONEST = {}


@pytest.fixture
def honest(scenario, play):
    if "ledger" not in _HONEST:
        _HONEST["ledger"] = play(scenario).ledger
    return _HONEST["ledger"]


def assert_only_liars_suffer(ledger, honest):
    liar = ledger.device_id % 5 == HOSTILE
    pd.testing.assert_frame_equal(ledger[~liar], honest[~liar])
    assert liar.any()
    return ledger[liar], honest[liar]


@pytest.mark.parametrize("lie", [garbage, flipped, truncated, doubled, wrong_round, wrong_method, wrong_kind, not_numbers])
def test_liars_fail_and_honest_rows_do_not_move(lie, scenario, honest, play):
    run = play(scenario, reply=every_kind(lie))
    liars, would = assert_only_liars_suffer(run.ledger, honest)
    assert (liars.outcome[would.outcome == "served"].astype(str) == "failed").all()
    assert run.manifest["status"] == "complete"
    counted = sum(n for by_method in run.manifest["quarantine"].values() for found in by_method.values() for n in found.values())
    assert counted == (liars.outcome == "failed").sum()


def test_replays_of_an_earlier_round_fail(scenario, honest, play):
    run = play(scenario, reply=every_kind(Replay()))
    liars, would = assert_only_liars_suffer(run.ledger, honest)
    later = liars["round"] > liars.groupby(["method", "device_id"], observed=True)["round"].transform("min")
    assert later.any()
    assert (liars.outcome[later & (would.outcome == "served")].astype(str) == "failed").all()
    assert liars.outcome[~later].astype(str).equals(would.outcome[~later].astype(str))


def test_absurd_but_finite_profiles_spoil_their_own_row_at_most(scenario, honest, play):
    run = play(scenario, reply=every_kind(absurd_numbers))
    assert_only_liars_suffer(run.ledger, honest)


def test_a_lying_report_moves_its_own_row_only(scenario, honest, play):
    def first_place(call, kind, frame, row):
        if kind != "report":
            return frame
        one = pack_reports(Reports(np.array([1.0]), np.zeros(1, np.uint8), np.zeros(1, np.uint8)))
        return encode(kind, call.header["method"], call.header["round"], one.tobytes())

    run = play(scenario, reply=every_kind(first_place))
    liars, _ = assert_only_liars_suffer(run.ledger, honest)
    assert (liars["rank"][liars.outcome == "served"] == 1).all(), "what a phone says of itself is its own affair; see docs/reliability.md"


def test_messages_of_phones_that_were_not_asked_are_dropped_and_counted(tiny, play):
    # Nothing fits these phones, so the cloud asks none of them for a ranking.
    scenario = tiny("rounds.count=1", "clock.loss=0.5", methods=("chord-plus",))
    honest = play(scenario).ledger
    sent = []

    def speak_up(call, reply):
        for kind in reply.wire:
            frames = {}
            for n in np.flatnonzero(~call.columns["active"]).tolist():
                frames[n] = encode(kind, call.header["method"], call.header["round"], bytes(6))
            sent.append(len(frames))
            reply = with_rows(reply, kind, frames)
        return reply

    run = play(scenario, reply=speak_up)
    pd.testing.assert_frame_equal(run.ledger, honest)
    assert sum(sent) > 0
    assert run.manifest["quarantine"]["1"]["chord-plus"]["strays"] == sum(sent)


@pytest.mark.parametrize(
    ("column", "value"), [("macs", -1), ("model_bytes", 2**62), ("bits", np.inf), ("rank", -3.0), ("whole.report", 10**9)]
)
def test_columns_that_cannot_be_fail_their_phone_alone(column, value, scenario, honest, play):
    def tamper(call, reply):
        if column not in reply.columns:
            return reply
        changed = reply.columns[column].copy()
        changed[hostile_rows(call)] = value
        return replace(reply, columns={**reply.columns, column: changed})

    run = play(scenario, reply=tamper)
    liars, would = assert_only_liars_suffer(run.ledger, honest)
    assert (liars.outcome[would.outcome == "served"].astype(str) == "failed").all()


def drop_column(reply):
    return replace(reply, columns={k: v for k, v in reply.columns.items() if k != "refusal"})


def short_column(reply):
    return replace(reply, columns={**reply.columns, "macs": reply.columns["macs"][:-1]})


def text_for_numbers(reply):
    return replace(reply, columns={**reply.columns, "rank": np.zeros(reply.columns["rank"].size, np.int8)})


def no_messages(reply):
    return replace(reply, wire={})


def too_few_messages(reply):
    return replace(reply, wire={kind: rows.slice(0, 1) for kind, rows in reply.wire.items()})


def endless_state(reply):
    return replace(reply, columns={**reply.columns, **{f"state.{n}": reply.columns["macs"] for n in range(100)}})


def another_cell(reply):
    return replace(reply, cell=reply.cell + 7)


@pytest.mark.parametrize("harm", [drop_column, short_column, text_for_numbers, no_messages, too_few_messages, endless_state])
def test_an_answer_of_another_shape_is_a_lost_cell(harm, tiny, play):
    run = play(tiny("engine.cells=2", methods=("chord-plus",)), reply=lambda call, reply: harm(reply) if reply.cell == 0 else reply)
    assert run.manifest["status"] == "degraded"
    assert "cell 0: " in run.manifest["errors"][0] and "its answer has" in run.manifest["errors"][0]
    assert run.manifest["quarantine"]["1"]["chord-plus"]["misshapen cells"] == 1
    assert {"served", "failed"} <= set(run.ledger.outcome.astype(str))


def test_a_node_cannot_answer_for_another_cell(tiny, play):
    scenario = tiny("engine.cells=2", methods=("chord-plus",))
    whole = play(scenario).manifest["ledger_sha256"]
    assert play(scenario, reply=lambda call, reply: another_cell(reply)).manifest["ledger_sha256"] == whole


def test_a_node_that_asks_for_parts_for_ever_is_a_lost_cell(tiny, play):
    run = play(
        tiny("engine.cells=2", methods=("fp32",)),
        reply=lambda call, reply: replace(reply, missing=("f" * 64,)) if reply.cell == 0 else reply,
    )
    assert run.manifest["status"] == "degraded"
    assert "again and again" in run.manifest["errors"][0]
