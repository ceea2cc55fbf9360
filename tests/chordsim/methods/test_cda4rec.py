"""`cda4rec`: the planner's route decides what crosses the link and which side computes."""

import numpy as np
import torch

from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION
from chordsim.methods.cda4rec import net as cda4rec
from chordsim.ragged import Ragged


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
    for d in np.flatnonzero(t.who.active):
        if phone[d]:
            assert sorted(turn.ranking[d]) == sorted(offered[d])
        else:
            assert turn.ranking[d].tolist() == told[d].tolist()


def test_fusion_is_the_sum_of_reciprocal_ranks():
    got = cda4rec.fuse(np.array([[7, 8, 9, 0]]), np.array([[2, 0, 1, 3]]))
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
    ranker = cda4rec.SmallRanker(30, 8)
    places = ranker.rank_of(torch.ones(2, 5, dtype=torch.int64), torch.tensor([[3, 4, 0], [5, 0, 0]]))
    assert places[0, 2] == 2 and places[1, 0] == 0
