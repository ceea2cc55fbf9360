"""`cda4rec`: the planner's route decides what crosses the link and which side computes."""

import numpy as np
import pytest
import torch

from chordsim.data.fusion import fused, places_of
from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION, INVALID
from chordsim.methods.cda4rec import net as cda4rec
from chordsim.methods.cda4rec.cached.net import RowRanker, TrainedRowRanker, order_bytes, pack_order, unpack_order
from chordsim.methods.cda4rec.cached.net import ranker_macs as cached_macs
from chordsim.methods.cda4rec.cached.net import ranker_size as cached_size
from chordsim.nets.backbone import last_states
from chordsim.ragged import Ragged
from chordsim.testing import check_method


def test_the_route_decides_what_crosses_and_who_computes(talk):
    t = talk("cda4rec", {"short_history": 12, "list_length": 10})
    legs = t.exchange()
    on, phone = t.who.active, (t.history.items > 0).sum(1) >= 12
    assert phone[on].any() and not phone[on].all()
    candidates, _, first = legs[DOWN_CANDIDATES]
    plan, turn, second = legs[DOWN_PRESCRIPTION]
    assert ((candidates.lengths > 0) == (on & phone)).all()
    assert ((plan.lengths > 1) == (on & ~phone)).all()
    assert ((turn.cost.macs > 0) == phone).all() and (np.isnan(turn.bits) == ~phone).all()
    assert (first.macs + second.macs > 0).all()


def test_the_phone_reorders_its_candidates_and_shows_the_clouds_list_as_it_is(talk):
    t = talk("cda4rec", {"short_history": 12, "list_length": 10})
    legs = t.exchange()
    turn, phone = legs[DOWN_PRESCRIPTION][1], (t.history.items > 0).sum(1) >= 12
    told = np.array([np.frombuffer(row[-10:], np.uint8) if len(row) > 1 else np.zeros(10) for row in legs[DOWN_PRESCRIPTION][0]])
    offered = np.array([np.frombuffer(row, np.uint8) if row else np.zeros(10) for row in legs[DOWN_CANDIDATES][0]])
    on = np.flatnonzero(t.who.active)
    assert set(phone[on]) == {True, False}
    for d in on:
        if phone[d]:
            assert sorted(turn.ranking[d]) == sorted(offered[d])
        else:
            assert turn.ranking[d].tolist() == told[d].tolist()


def test_fusion_is_the_sum_of_reciprocal_ranks():
    candidates = np.array([[7, 8, 9, 0]])
    got = np.take_along_axis(candidates, fused(candidates, np.array([[2, 0, 1, 3]])), 1)
    worth = {7: 1 / 60 + 1 / 62, 8: 1 / 61 + 1 / 60, 9: 1 / 62 + 1 / 61}
    assert got[0].tolist() == [*sorted(worth, key=worth.get, reverse=True), 0]


def test_nonsense_is_refused(talk):
    t = talk("cda4rec")
    t.exchange()
    rows = Ragged.of_rows([b"", b"\x05", b"\x00ab", b"\x01\x01", b"\x01", b"x" * 999, b"\x00", b"\x02"])
    t.columns["candidates"] = np.zeros_like(t.columns["candidates"])
    assert (t.act(DOWN_PRESCRIPTION, t.who, t.history, rows).refusal > 0).all()


def test_the_closed_form_of_its_size_is_the_rankers():
    assert cda4rec.ranker_size(30, 8) == sum(p.numel() for p in cda4rec.SmallRanker(30, 8).parameters())


def test_places_by_scores_have_one_rule_for_ties_padding_and_what_is_no_number():
    listed = np.array([[3, 4, 5, 0], [5, 9, 0, 0], [1, 2, 3, 4], [7, 8, 0, 0], [0, 0, 0, 0]])
    scores = np.array([[1, 2, 1, 9], [-np.inf, -5, 3, 3], [1, np.nan, 2, 2], [0, 1, np.nan, 0], [np.nan] * 4], np.float32)
    places, numbers = places_of(scores, listed)
    assert places[[0, 1, 3]].tolist() == [[1, 0, 2, 3], [1, 0, 2, 3], [1, 0, 2, 3]]
    assert numbers.tolist() == [True, True, False, True, True]
    assert all(sorted(row) == [0, 1, 2, 3] for row in places.tolist())


@pytest.mark.parametrize("items", ["owned", "cached"])
def test_a_phone_whose_scores_are_no_numbers_shows_nothing(talk, items):
    """As everywhere: it is refused, and nobody else notices; whom the cloud ranks for needs no scores."""
    t = talk("cda4rec", {"short_history": 12, "list_length": 10}, **(CACHED if items == "cached" else {}))
    sent, whole, _ = t.exchange()[DOWN_PRESCRIPTION]
    phone, shown = (t.history.items > 0).sum(1) >= 12, whole.ranking
    lost = int(shown[np.flatnonzero(t.who.active & phone)[0], 0])
    with torch.inference_mode():
        t.model.item[lost] = torch.nan
    turn = t.act(DOWN_PRESCRIPTION, t.who, t.history, sent)
    hit = phone & ((t.history.items == lost).any(1) | (shown == lost).any(1))
    on = t.who.active
    assert hit[on].any() and ((turn.refusal == INVALID) == hit)[on].all() and (turn.ranking[on & ~hit] == shown[on & ~hit]).all()


CACHED = {"items": "cached", "cache_rows": 40}


@pytest.mark.parametrize("settings", [{"short_history": 12}, {"short_history": 0, "width": 8}])
def test_where_the_catalogue_stays_in_the_cloud_it_keeps_the_promises_of_every_method(settings, shared_cache, monkeypatch):
    monkeypatch.setenv("CHORDSIM_CACHE", str(shared_cache))
    check_method("cda4rec", settings, CACHED)


def test_with_cached_rows_the_cloud_orders_the_list_and_the_phone_joins_its_own_order(talk):
    t = talk("cda4rec", {"short_history": 12}, **CACHED)
    legs = t.exchange()
    assert DOWN_CANDIDATES not in legs
    on, phone = t.who.active, (t.history.items > 0).sum(1) >= 12
    sent, turn, cloud = legs[DOWN_PRESCRIPTION]
    listed, items = t.who.listed, torch.from_numpy(t.history.items)
    assert phone[on].any() and not phone[on].all() and (sent.lengths[on] == 11).all() and (cloud.macs > 0).all()
    state = {n.removeprefix("cloud."): v for n, v in t.state.items() if n.startswith("cloud.")}
    weights = [state[f"weights.{n}"] for n in range(len(t.world.shapes.layers))]
    large = (last_states(items, state["item"], state["position"], weights, t.context.backbone) @ state["item"].T).numpy()
    ranker = TrainedRowRanker(state["item"], 32, 20, 1)
    ranker.load_state_dict({"item": state["item"], **{n.removeprefix("phone."): v for n, v in t.state.items() if n.startswith("phone.")}})
    with torch.inference_mode():
        small = (ranker.last_states(items) @ ranker.item.T).numpy()
    for d in np.flatnonzero(on):
        ordered = sorted(listed[d], key=lambda item, d=d: -large[d, item])
        own = sorted(ordered, key=lambda item, d=d: -small[d, item])
        joined = sorted(ordered, key=lambda item: -(1 / (60 + ordered.index(item)) + 1 / (60 + own.index(item))))
        assert turn.ranking[d].tolist() == (joined if phone[d] else ordered)
    assert ((turn.cost.macs > 0) == phone).all() and (np.isnan(turn.bits) == ~phone).all()


def test_an_order_names_each_listed_item_once():
    listed = np.array([[5, 9, 7, 0]] * 2)
    places = np.array([[3, 1, 2, 0], [1, 2, 3, 0]])
    rows = Ragged.of_matrix(pack_order(np.array([True, False]), places))
    phone, ordered, sound = unpack_order(rows, listed)
    assert sound.all() and phone.tolist() == [True, False] and ordered.tolist() == [[7, 5, 9, 0], [5, 9, 7, 0]]
    bad = [
        b"",
        b"\x01",
        rows[0][:-1],
        rows[0] + b"\0",
        *(bytes(row) for row in ([2, 3, 1, 2, 0], [1, 3, 1, 1, 0], [1, 3, 1, 2, 4], [0, 3, 0, 2, 1], [1, 1, 2, 5, 0])),
    ]
    phone, ordered, sound = unpack_order(Ragged.of_rows(bad), np.repeat(listed[:1], len(bad), 0))
    assert not sound.any() and not phone.any() and not ordered.any()
    assert order_bytes(300) == 601


def test_the_closed_forms_of_a_ranker_without_a_table():
    made = RowRanker(16, 8)
    assert cached_size(16, 8) == sum(p.numel() for p in made.parameters())
    products = 5 * (16 * 8 + sum(p.numel() for n, p in made.cell.named_parameters() if n.startswith("weight"))) + 16 * 8 + 3 * 16
    assert cached_macs(5, 16, 8, 3) == products
