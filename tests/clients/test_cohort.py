"""The cohort step: what a worker does with a call, whole chunks or nothing, and what crosses a link that breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.engine.cell import CellCall, CellReply
from chordsim.methods.exchange import blob_digest
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.wire.frame import decode_rows
from chordsim.wire.reports import unpack_reports
from chordsim.world import of_text
from clients.cohort import Node, step
from server.training import cache

PHONES = 32


@pytest.fixture
def call(tiny: Callable[..., list[str]]) -> Callable[..., CellCall]:
    """Return a maker of the call that asks a cell of fp32 phones for their report."""
    text = dump(load("offline", tiny("population.devices=32", methods=("fp32",))))
    world = of_text(text)
    half = methods.load(world.specs["fp32"].cloud)(world.context("fp32"))
    blobs = {blob.label: blob.data for blob in half.bootstrap(cache.trained(half, world.logs, Silent())[0])}

    def make(*, blobs_sent: bool = True, **columns: Any) -> CellCall:
        digests = {label: blob_digest(data) for label, data in blobs.items()}
        header = {"scenario": text, "method": "fp32", "round": 1, "legs": [["up", "report"]], "blobs": digests}
        given = {"device_id": np.arange(PHONES), "active": np.ones(PHONES, np.bool_), "up_fraction": np.ones((PHONES, 1)), **columns}
        return CellCall(3, header, given, {}, {digests[label]: data for label, data in blobs.items()} if blobs_sent else {})

    return make


def reports(reply: CellReply) -> Any:
    payloads, errors = decode_rows("report", "fp32", 1, reply.wire["report"])
    return unpack_reports(payloads, 61)[0], errors


def test_a_worker_asks_for_what_it_lacks_and_takes_nothing_damaged(call: Callable[..., CellCall]) -> None:
    node, asked = Node(), call(blobs_sent=False)
    first = step(node, asked)
    assert set(first.missing) == set(asked.header["blobs"].values()) and not first.columns
    damaged = {digest: data[:-1] for digest, data in call().blobs.items()}
    assert step(node, replace(asked, blobs=damaged)).missing == first.missing and not node.blobs
    assert not step(node, call()).missing
    assert not step(node, asked).missing


def test_reports_say_what_the_columns_say(call: Callable[..., CellCall]) -> None:
    reply = step(Node(), call())
    told, errors = reports(reply)
    assert not errors.any() and reply.cell == 3
    np.testing.assert_array_equal(told.rank, reply.columns["rank"])
    np.testing.assert_array_equal(told.refusal, reply.columns["refusal"])
    refused = told.refusal > 0
    assert 0 < refused.sum() < PHONES
    assert np.isnan(told.rank[refused]).all() and (reply.columns["macs"][refused] == 0).all()
    assert (reply.columns["bits"][~refused] == 32).all() and np.isnan(reply.columns["bits"][refused]).all()
    assert (reply.columns["peak_memory_bytes"] > 0).all()


def test_phones_that_are_out_say_and_spend_nothing_and_move_nobody(call: Callable[..., CellCall]) -> None:
    whole = step(Node(), call())
    active = np.arange(PHONES) % 3 > 0
    part = step(Node(), call(active=active))
    assert (part.wire["report"].lengths[~active] == 0).all()
    for name in ("macs", "bitops", "adapt_macs", "peak_memory_bytes", "whole.report"):
        assert (part.columns[name][~active] == 0).all(), name
        np.testing.assert_array_equal(part.columns[name][active], whole.columns[name][active])
    np.testing.assert_array_equal(part.columns["rank"][active], whole.columns["rank"][active])


def test_a_link_that_breaks_carries_the_first_part_only(call: Callable[..., CellCall]) -> None:
    fraction = np.linspace(0, 1, PHONES)[:, None]
    whole, cut = step(Node(), call()), step(Node(), call(up_fraction=fraction))
    expected = np.where(fraction[:, 0] < 1, np.floor(24 * fraction[:, 0]), 24)
    assert cut.wire["report"].lengths.tolist() == expected.tolist() and (cut.columns["whole.report"] == 24).all()
    for row in range(PHONES):
        assert whole.wire["report"][row].startswith(cut.wire["report"][row])


@pytest.mark.parametrize("rows", [0, 1, 15, 31])
def test_a_cell_that_is_no_whole_number_of_chunks_is_refused(call: Callable[..., CellCall], rows: int) -> None:
    short = {"device_id": np.arange(rows), "active": np.ones(rows, np.bool_), "up_fraction": np.ones((rows, 1))}
    with pytest.raises(ValueError, match="whole number of chunks of 16"):
        step(Node(), call(**short))


def test_chunks_are_played_one_by_one_and_do_not_meet(call: Callable[..., CellCall]) -> None:
    together = step(Node(), call())
    for half in (slice(0, 16), slice(16, 32)):
        columns = {"device_id": np.arange(PHONES)[half], "active": np.ones(16, np.bool_), "up_fraction": np.ones((16, 1))}
        alone = step(Node(), call(**columns))
        for name, column in alone.columns.items():
            np.testing.assert_array_equal(column, together.columns[name][half])
        assert list(alone.wire["report"]) == [together.wire["report"][n] for n in range(half.start, half.stop)]


def test_a_phone_that_refused_or_ranked_before_has_not_forgotten(call: Callable[..., CellCall]) -> None:
    before = np.where(np.arange(PHONES) < 4, 3, 0).astype(np.uint8)
    told, _ = reports(step(Node(), call(refusal=before, rank=np.full(PHONES, np.nan))))
    assert (told.refusal[:4] == 3).all() and np.isnan(told.rank[:4]).all()


def test_products_run_on_one_thread(call: Callable[..., CellCall]) -> None:
    step(Node(), call())
    assert torch.get_num_threads() == 1


def test_a_frame_of_another_round_or_method_fails_its_phone(tiny: Callable[..., list[str]]) -> None:
    """A replayed or misrouted answer is not acted on; its phone says so and has no rank."""
    from chordsim.wire.frame import encode_rows

    text = dump(load("offline", tiny("population.devices=16", methods=("cloud-only",))))
    listed = Ragged.of_rows([bytes(range(1, 61)) for _ in range(16)])
    header = {"scenario": text, "method": "cloud-only", "round": 1, "legs": [["down", "candidates"], ["up", "report"]], "blobs": {}}
    columns = {"device_id": np.arange(16), "active": np.ones(16, np.bool_), "up_fraction": np.ones((16, 1))}
    good = encode_rows("candidates", "cloud-only", 1, listed, columns["active"])
    wrong = (("candidates", "cloud-only", 2), ("candidates", "fp32", 1), ("prescription", "cloud-only", 1))
    others = [encode_rows(kind, name, round, listed, columns["active"]) for kind, name, round in wrong]  # type: ignore[arg-type]
    rows = Ragged.of_rows([others[n][n] if n < 3 else good[n] for n in range(16)])
    reply = step(Node(), CellCall(0, header, columns, {"candidates": rows}))
    told = unpack_reports(decode_rows("report", "cloud-only", 1, reply.wire["report"])[0], 61)[0]
    assert (told.flags > 0).tolist() == [n < 3 for n in range(16)]
    assert np.isnan(told.rank).tolist() == [n < 3 for n in range(16)]
