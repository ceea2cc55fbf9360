"""Methods from elsewhere, found through an entry point, play in the loop as it stands: updates, visits, refusals, state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from chordsim.errors import ScenarioError
from chordsim.ledger.invariants import check
from chordsim.methods import (
    BINDINGS,
    DOWN_CANDIDATES,
    DOWN_PRESCRIPTION,
    UP_PROFILE,
    UP_REPORT,
    UP_UPDATE,
    Batch,
    Blob,
    Budgets,
    CloudTurn,
    Cost,
    MethodContext,
    MethodSpec,
    Turn,
    find,
)
from chordsim.ragged import Ragged

Make = Callable[..., Any]
TIERS = (
    "population.tiers={any={share=1.0,ram_gb=8.0,gmacs_per_s=5.0,down_mbps=20.0,up_mbps=5.0,round_trip_ms=50.0,"
    "nj_per_mac=0.5,radio_w=1.0,memory_mb=100.0}}",
)


class Cloud:
    """What a third party's cloud half needs: no base class of ours."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context
        self.learnt: list[tuple[Batch, Ragged]] = []
        self.asked: list[tuple[str, Batch, Ragged]] = []

    def recipe(self) -> dict[str, Any]:
        return {"toy": self.context.name, "n_items": self.context.n_items}

    def train(self, logs: Any, progress: Any) -> dict[str, torch.Tensor]:
        return {"counts": torch.from_numpy(logs.popularity).double()}

    def bootstrap(self, state: Any) -> list[Blob]:
        return [Blob("counts", state["counts"].numpy().astype("<f8").tobytes())]

    def admit(self, state: Any, budgets: Budgets) -> np.ndarray:
        return np.zeros(budgets.memory_bytes.size, np.uint8)

    def respond(self, state: Any, leg: Any, who: Batch, inbox: Ragged) -> CloudTurn:
        self.asked.append((leg.kind, who, inbox))
        zero = np.zeros(len(who), np.uint8)
        return CloudTurn(Ragged.of_rows([leg.kind.encode()] * len(who)), np.full(len(who), 7), zero, zero)

    def learn(self, state: Any, reports: Sequence[tuple[Batch, Ragged]]) -> Any:
        self.learnt += reports
        counts = state["counts"].clone()
        for who, updates in reports:
            for n in np.flatnonzero(who.active):
                counts[int.from_bytes(updates[n], "little")] += 1
        return {"counts": counts}


class Device:
    """Ranks by the counts of the bootstrap; its update is the last item of the history, in 4 bytes."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context

    def load(self, blobs_by_label: Any) -> Any:
        return np.frombuffer(blobs_by_label["counts"], "<f8").astype(np.float32)

    def act(self, model: Any, state: Any, leg: Any, who: Batch, history: Any, inbox: Ragged) -> Turn:
        rows = len(who)
        none, nan = np.zeros(rows, np.uint8), np.full(rows, np.nan)
        if leg.kind == "update":
            last = history.items[:, -1].astype("<u4")
            return Turn(Ragged.of_matrix(last[:, None].view(np.uint8)), none, Cost.zero(rows), nan)
        return Turn(Ragged.empty(rows), none, Cost.zero(rows), nan, np.tile(model, (rows, 1)))


TOY = MethodSpec(
    name="toy",
    summary="learns popularity",
    exchange=(UP_UPDATE, UP_REPORT),
    cloud="elsewhere:Cloud",
    device="elsewhere:Device",
    learns=True,
)


def test_a_method_from_elsewhere_learns_and_its_new_bootstrap_is_charged(table: Make, third_party: Make) -> None:
    third_party(TOY, Cloud, Device)
    at = table(*TIERS, methods=("fp32", "toy"))
    before = at.method("toy").state["counts"].clone()
    first = at.play("toy", 1)
    check(first.rows, first.moved)
    assert (first.rows["update_bytes"] == 4).all() and (first.rows["bootstrap_bytes"] == 8 * (at.world.n_items + 1)).all()
    after = at.method("toy").state["counts"]
    history = at.world.split.history(at.world.population.users(np.arange(40)), 1, 12).items[:, -1]
    assert torch.equal(after - before, torch.from_numpy(np.bincount(history, minlength=at.world.n_items + 1)).double())
    second = at.play("toy", 2)
    check(second.rows, second.moved)
    assert (second.rows["bootstrap_bytes"] > 0).all()
    # What was learnt in round 1 ranks in round 2: the fallback's order with the new counts.
    scores = after.float().numpy()
    users = at.world.population.users(np.arange(40))
    rows, items = at.world.split.seen(users, 2)
    for device, target in enumerate(at.world.split.targets(users, 2)):
        left = np.setdiff1d(np.arange(1, scores.size), items[rows == device])
        if target in left:
            expected = 1 + (scores[left] > scores[target]).sum() + 0.5 * ((scores[left] == scores[target]).sum() - 1)
            assert second.rows["rank"][device] == expected


def test_the_cloud_learns_from_nobody_who_was_late_or_dropped(table: Make, third_party: Make) -> None:
    third_party(TOY, Cloud, Device)
    calm = table(*TIERS, methods=("toy",)).play("toy").rows
    middle = float(np.median(calm["total_s"]))
    at = table(*TIERS, f"clock.deadline_s={middle}", "clock.loss=0.3", methods=("toy",))
    played = at.play("toy")
    check(played.rows, played.moved)
    taught = {int(who.device_ids[n]) for who, _ in at.method("toy").half.learnt for n in np.flatnonzero(who.active)}
    served = played.rows["device_id"][played.rows.is_word("outcome", "served")]
    assert taught == set(served.tolist()) and 0 < len(taught) < 40


def test_a_link_that_broke_in_the_update_carries_no_report(table: Make, third_party: Make) -> None:
    third_party(TOY, Cloud, Device)
    rows = table(*TIERS, "clock.loss=1.0", methods=("toy",)).play("toy").rows
    whole_update = (rows["update_bytes"] > 0) & (rows["cut_up_bytes"] > 0) & (rows["report_bytes"] == 0)
    assert whole_update.any()
    assert (rows["up_bytes"][whole_update] < 4 + 18).all() and (rows["round_trips"][whole_update] == 2).all()


class TwoVisits(Device):
    """Ranks at the first visit, refuses some phones there, and keeps a number that grows from visit to visit."""

    def load(self, blobs_by_label: Any) -> Any:
        return np.frombuffer(blobs_by_label["counts"], "<f8").astype(np.float32)

    def act(self, model: Any, state: Any, leg: Any, who: Batch, history: Any, inbox: Ragged) -> Turn:
        rows = len(who)
        none, nan = np.zeros(rows, np.uint8), np.full(rows, np.nan)
        visits = state.get("visits", np.zeros(rows, np.int64))
        spent = Cost(*(np.full(rows, value, np.int64) for value in (100, 0, 0, 10, 5000, 400)))
        if leg.kind == "candidates":
            assert all(inbox[n] in (b"candidates", b"") for n in range(rows))
            refusal = np.where(who.device_ids % 4 == 0, BINDINGS.index("latency"), 0).astype(np.uint8)
            scores = np.tile(model, (rows, 1))
            kept = {"visits": visits + 1, "two": np.ones((rows, 2), np.float32)}
            return Turn(Ragged.empty(rows), refusal, spent, nan, scores, state=kept)
        if leg.kind == "profile":
            return Turn(Ragged.of_matrix(visits.astype(np.uint8)[:, None]), none, Cost.zero(rows), nan)
        return Turn(Ragged.empty(rows), none, Cost.zero(rows), nan, state={"visits": visits + 10} if leg.kind == "prescription" else {})


LONG = MethodSpec(
    name="long",
    summary="two visits",
    exchange=(DOWN_CANDIDATES, UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
    cloud="elsewhere:Cloud",
    device="elsewhere:Device",
)


def test_refusals_ranks_and_state_outlive_a_visit_and_state_outlives_the_round(table: Make, third_party: Make) -> None:
    third_party(LONG, Cloud, TwoVisits)
    at = table(*TIERS, methods=("long",))
    first = at.play("long", 1)
    check(first.rows, first.moved)
    rows, refused = first.rows, np.arange(40) % 4 == 0
    assert np.array_equal(rows.is_word("outcome", "refused"), refused) and rows.is_word("binding", "latency")[refused].all()
    assert np.array_equal(rows.nulls["rank"], refused)
    # Peaks are the most of any visit, operations their sum; who refused has run nothing.
    assert (rows["peak_memory_bytes"] == 5000).all() and (rows["model_bytes"] == 400).all()
    assert (rows["macs"] == np.where(refused, 0, 100)).all()
    assert (rows["cloud_macs"] == 14).all()
    # The cloud knows of budgets what the registration and the bytes of a profile say.
    assert all(who.budgets is None for _, who, _ in at.method("long").half.asked)
    profiles = [inbox for kind, _, inbox in at.method("long").half.asked if kind == "prescription"]
    assert {profile[n] for profile in profiles for n in range(len(profile))} <= {b"\x01", b""}
    kept = at.method("long").kept
    # A refused phone's half is asked at the second visit too, but its turn does not count.
    assert kept["visits"][:40].tolist() == np.where(refused, 1, 11).tolist() and kept["two"].shape == (40, 2)
    at.method("long").half.asked.clear()
    at.play("long", 2)
    assert at.method("long").kept["visits"].tolist() == np.where(refused, 2, 22).tolist()


def test_phones_that_were_out_keep_their_state(table: Make, third_party: Make) -> None:
    third_party(LONG, Cloud, TwoVisits)
    at = table(*TIERS, "population.selected=10", methods=("long",))
    asked = np.zeros(40, np.int64)
    for round in (1, 2):
        asked[at.play("long", round).rows["device_id"]] += 1
    kept = at.method("long").kept["visits"]
    expected = np.where(np.arange(40) % 4 == 0, 1, 11) * asked
    assert kept.tolist() == expected.tolist() and {0, 1} <= set(asked.tolist())


def test_an_unknown_method_names_the_nearest_one(third_party: Make) -> None:
    third_party(TOY, Cloud, Device)
    assert find("toy") is TOY
    with pytest.raises(ScenarioError, match="toy"):
        find("tov")


def test_who_refuses_or_fails_teaches_nothing(table: Make, third_party: Make) -> None:
    class Refusing(Device):
        def act(self, model: Any, state: Any, leg: Any, who: Batch, history: Any, inbox: Ragged) -> Turn:
            turn = super().act(model, state, leg, who, history, inbox)
            refusal = np.where(who.device_ids < 30, BINDINGS.index("memory"), 0).astype(np.uint8)
            return Turn(turn.outbox, refusal, turn.cost, turn.bits, turn.scores)

    third_party(TOY, Cloud, Refusing)
    at = table(*TIERS, methods=("toy",))
    played = at.play("toy")
    check(played.rows, played.moved)
    assert played.rows.is_word("outcome", "refused").sum() == 30
    taught = {int(who.device_ids[n]) for who, _ in at.method("toy").half.learnt for n in np.flatnonzero(who.active)}
    assert taught == set(range(30, 40))


def test_workers_drop_bootstraps_that_are_no_longer_in_force(table: Make, third_party: Make) -> None:
    third_party(TOY, Cloud, Device)
    at = table(*TIERS, "rounds.count=3", methods=("fp32", "toy"))
    at.play("fp32", 1)
    for round in (1, 2, 3):
        at.play("toy", round)
    shipped = set(at.method("fp32").labels.values())
    assert len(at.carrier.node.blobs) == len(shipped) + 1 and shipped < set(at.carrier.node.blobs)
    assert not at.play("fp32", 2).errors
