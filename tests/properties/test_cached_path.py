"""A phone whose catalogue stays in the cloud, alone: from encoded messages and its own few rows it gets bytes and ranks of the fleet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import chordsim
from chordsim import evaluate, methods
from chordsim.methods import ITEM_TABLE, History, PhoneBatch
from chordsim.nets import blobs
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.round.enrolled import Hosted
from chordsim.scenario import settings
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.wire.frame import decode_rows, encode_rows
from chordsim.wire.ids import id_bytes, pack_ids, unpack_ids
from chordsim.wire.item_rows import pack_asks, pack_item_rows, row_bytes, unpack_asks, unpack_item_rows
from chordsim.world import World, of_text
from server.hosting import train

LISTED, ROOM = 40, 70
NAMES = ("fp32", "chord-plus", "film-192", "diet", "finetune", "forward-ofa", "cda4rec")
#: Some users of `cda4rec` are ranked by their phones, some by the cloud.
BOTH_SIDES = "settings.cda4rec.short_history=12"
CACHED = (
    'backbone.items="cached"',
    f"backbone.cache_rows={ROOM}",
    'protocol.ranking="candidates"',
    f"protocol.candidates={LISTED}",
    "rounds.count=4",
    "clock.loss=0.0",
    "population.devices=30",
    # Room for gradients too, so that nobody is refused who trains.
    *(f"population.tiers.{tier}.memory_mb=9" for tier in ("low", "mid", "high")),
)


@dataclass(frozen=True)
class Said:
    """What a phone said in a round, and of what: the list, its history, the ids that it asks for, and the bytes of the ask."""

    round: int
    listed: np.ndarray
    history: History
    recent: list[int]
    asked: np.ndarray
    bytes: int


@dataclass
class Alone:
    """One phone: its user, its rows as bytes by item id, the most recently used last."""

    world: World
    method: Hosted
    half: Any
    device_id: int
    rows: dict[int, bytes]

    def session(self, round: int, stored: np.ndarray) -> tuple[int, int, float]:
        """Play one round from bytes; return bytes of ask and rows, and the rank of the target among the list."""
        said = self.ask(round)
        sent = pack_item_rows(stored, [said.asked])[0]
        rank = self.take(said, sent)
        assert rank is not None
        return said.bytes, len(sent), rank

    def ask(self, round: int) -> Said:
        """Begin a round: read the list, and ask for the rows that are missing."""
        world, config = self.world, self.world.scenario.backbone
        users, n_items = world.population.users(np.array([self.device_id])), world.n_items
        told = world.candidates(users)
        assert told is not None
        listed, whole = unpack_ids(Ragged.of_matrix(pack_ids(told, n_items)), told.shape[1], n_items)
        assert whole.all()
        history = world.split.history(users, round, config.max_len)
        recent = list(dict.fromkeys(int(i) for i in history.items[0, ::-1] if i))
        lacks = np.array([[item > 0 and item not in self.rows for item in listed[0].tolist()]])
        missing = [item for item in recent if item not in self.rows and item not in listed[0]]
        consumed = np.array([[*missing, *[0] * (config.max_len - len(missing))]])
        ask = pack_asks(lacks, consumed, n_items)
        # The cloud reads the ask, and the phone its answer.
        lacks, consumed, sound = unpack_asks(ask, listed.shape[1], config.max_len, n_items)
        assert sound.all()
        asked = np.concatenate([listed[0][lacks[0]], consumed[0][consumed[0] > 0]])
        return Said(round, listed, history, recent, asked, len(ask[0]))

    def take(self, said: Said, sent: bytes) -> float | None:
        """Take in the rows that came and return the rank of the target; None where they are not those that it asked for."""
        config = self.world.scenario.backbone
        rows = unpack_item_rows(sent, said.asked.size, row_bytes(config.dim, config.embedding_bits))
        if rows is None:
            return None
        for item, row in zip(said.asked.tolist(), rows, strict=True):
            self.rows[item] = row.tobytes()
        self._use(list(dict.fromkeys([*said.recent, *(int(i) for i in said.listed[0] if i)])))
        return self._rank(said.round, np.array([self.device_id]), said.history, said.listed)

    def _use(self, items: list[int]) -> None:
        """Keep what was used last, as many rows as there is room for."""
        others = [item for item in reversed(self.rows) if item not in items]
        kept = [*items, *others][:ROOM]
        self.rows = {item: self.rows[item] for item in reversed(kept)}

    def _rank(self, round: int, ids: np.ndarray, history: History, listed: np.ndarray) -> float:
        world, method, config = self.world, self.method, self.world.scenario.backbone
        parts = {label: method.blobs[digest] for label, digest in method.labels.items()}
        width = row_bytes(config.dim, config.embedding_bits)
        table = np.zeros((world.n_items + 1, width), np.uint8)
        for item, row in self.rows.items():
            table[item] = np.frombuffer(row, np.uint8)
        parts[ITEM_TABLE] = blobs.save(_tensors(table, config.dim, config.embedding_bits))
        profiles = world.population.profiles(ids)
        who = PhoneBatch(ids, np.ones(1, np.bool_), round, profiles.budgets, listed)
        inbox, state, turn = Ragged.empty(1), {}, None
        with torch.enable_grad() if method.spec.needs_autograd else torch.inference_mode():
            model = self.half.load(parts)
            _forget_what_is_not_held(model, self.rows)
            for leg in method.spec.exchange:
                if leg.direction == "down":
                    inbox = method.half.respond(method.state, leg, who, inbox).outbox
                turn = self.half.act(model, state, leg, who, history, inbox)
                state |= turn.state
                if leg.direction == "up":
                    inbox = turn.outbox
                if turn.scores is not None:
                    shown = turn.scores.of(listed)
                if turn.ranking is not None:
                    shown = turn.ranking
        users, protocol = world.population.users(ids), world.scenario.protocol
        targets, seen = world.split.targets(users, round), world.split.seen(users, round)
        if method.spec.ranks == "list":
            return float(evaluate.rank_list(shown, targets, seen, world.n_items, protocol, listed)[0])
        return float(evaluate.rank_listed(shown, listed, targets, seen, protocol, world.n_items)[0])


def _forget_what_is_not_held(model: Any, rows: dict[int, bytes]) -> None:
    """A row that the phone does not hold is no number: whoever reads one ranks nothing."""
    lost = torch.ones(len(model.item), dtype=torch.bool)
    lost[[0, *rows]] = False
    model.item[lost] = torch.nan


def _bytes_of(method: Hosted) -> np.ndarray:
    """Return each item's row as a phone stores it: its numbers, then its scale."""
    stored = blobs.load(method.blobs[method.labels[ITEM_TABLE]], {})
    return np.concatenate([stored[name].numpy().view(np.uint8).reshape(len(stored[name]), -1) for name in sorted(stored)], 1)


def _tensors(rows: np.ndarray, dim: int, bits: int) -> dict[str, torch.Tensor]:
    width = rows.shape[1] - (4 if bits < 16 else 0)
    kind = {32: np.float32, 16: np.float16, 8: np.int8}.get(bits, np.uint8)
    out = {"item": torch.from_numpy(np.ascontiguousarray(rows[:, :width]).view(kind).reshape(len(rows), -1).copy())}
    if bits < 16:
        out["item.scale"] = torch.from_numpy(np.ascontiguousarray(rows[:, width:]).view(np.float32).reshape(-1, 1).copy())
    return out


@pytest.mark.parametrize(
    ("bits", "phones", "rounds", "names"),
    [
        (4, 30, 4, NAMES),
        *(pytest.param(32, *other, marks=pytest.mark.slow) for other in ((30, 4, NAMES), (200, 10, ("fp32", "chord-plus")))),
    ],
)
def test_a_phone_alone_asks_gets_and_ranks_what_the_fleet_does(
    tiny: Callable[..., list[str]], tmp_path: Path, bits: int, phones: int, rounds: int, names: tuple[str, ...]
) -> None:
    more = [f"population.devices={phones}", f"rounds.count={rounds}", f"backbone.embedding_bits={bits}", "data.synthetic.items=120"]
    more += [BOTH_SIDES] if "cda4rec" in names else []
    overrides = tiny(*CACHED, *more, *([f"data.synthetic.users={phones}"] if phones > 30 else []), methods=names)
    ledger = chordsim.run("offline", overrides=overrides, out=tmp_path / "run").ledger.set_index(["method", "device_id", "round"])
    world = of_text(dump(load("offline", overrides)))
    compared, every = 0, 3 if phones == 30 else 1
    for method in train(world, Silent()).methods:
        stored = _bytes_of(method)
        half = methods.load(method.spec.device)(world.context(method.spec.name))
        for device in range(0, phones, every):
            phone = Alone(world, method, half, device, {})
            for round in range(1, rounds + 1):
                row = ledger.loc[(method.spec.name, device, round)]
                if row["outcome"] != "served":
                    break
                ask, rows, rank = phone.session(round, stored)
                where = (method.spec.name, device, round)
                assert (ask, rows) == (row["asks_bytes"], row["rows_bytes"]), where
                assert len(phone.rows) == row["cached_rows"] <= ROOM, where
                assert rank == row["rank"], where
                compared += 1
        if method.spec.name == "fp32":
            _whose_rows_are_spoilt_fails_alone(world, method, half, stored, ledger)
    assert compared > 0.38 * len(names) * rounds * phones / every


def _whose_rows_are_spoilt_fails_alone(world: World, method: Hosted, half: Any, stored: np.ndarray, ledger: pd.DataFrame) -> None:
    """Rows that were damaged, cut, too many or another phone's: their phone takes none, ranks nothing and asks again; no other notices."""
    fleet = {device: Alone(world, method, half, device, {}) for device in range(0, 12)}
    served = [device for device in fleet if ledger.loc[("fp32", device, 1)]["outcome"] == "served"]
    assert len(served) >= 6
    said = {device: fleet[device].ask(1) for device in served}
    payloads = [pack_item_rows(stored, [told.asked])[0] for told in said.values()]
    unasked = served[3]
    payloads[3] += stored[1].tobytes()
    frames = encode_rows("rows", "fp32", 1, Ragged.of_rows(payloads), np.ones(len(served), np.bool_))
    sent = [bytearray(frame) for frame in frames]
    sent[0][len(sent[0]) // 2] ^= 4
    del sent[1][-3:]
    sent[2] = bytearray()
    spoilt = {*served[:3], unasked}
    came, _ = decode_rows("rows", "fp32", 1, Ragged.of_rows(map(bytes, sent)))
    for place, device in enumerate(served):
        rank, phone = fleet[device].take(said[device], came[place]), fleet[device]
        if device in spoilt:
            assert rank is None and not phone.rows, device
        else:
            assert rank == ledger.loc[("fp32", device, 1)]["rank"], device
    for device in served:
        row = ledger.loc[("fp32", device, 2)]
        if row["outcome"] == "served":
            _, rows, rank = fleet[device].session(2, stored)
            assert rank == row["rank"] and (rows > row["rows_bytes"]) == (device in spoilt), device


def test_whoever_ranks_or_trains_on_the_phone_plays_with_the_rows_that_it_holds(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    """None is refused for its method, none gets rows for nothing, and what phones teach the cloud makes no row stale."""
    names = ("fp32", "finetune", "fedavg", "dccl", "forward-ofa", "film-192", "uniform-2", "cda4rec")
    overrides = tiny(*CACHED, "data.synthetic.items=120", BOTH_SIDES, methods=names)
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run")
    assert run.manifest["status"] == "complete"
    ledger = run.ledger.set_index(["device_id", "round"])
    plain = ledger[ledger["method"] == "fp32"]
    for name in names:
        rows = ledger[ledger["method"] == name]
        served = rows[rows["outcome"] == "served"]
        assert len(served) > 60 and served["rank"].notna().all(), name
        both = served.index.intersection(plain.index[plain["outcome"] == "served"])
        # All began together, so all lack the same rows.
        first = both[both.get_level_values("round") == 1]
        assert served.loc[first, "rows_bytes"].equals(plain.loc[first, "rows_bytes"]), name
        assert served.loc[first, "candidates_bytes"].equals(plain.loc[first, "candidates_bytes"]), name
        late = served[served.index.get_level_values("round") > 2]
        assert late["rows_bytes"].mean() < served.loc[first, "rows_bytes"].mean() / 4, name
    assert run.summary["methods"]["fedavg"]["per_version"]["down_bytes"] > 0
    assert ledger.loc[ledger["method"] == "forward-ofa", "prescription_bytes"].max() > 0


def test_bytes_are_those_of_the_closed_form_and_rows_are_sent_once(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny(*CACHED, "data.synthetic.items=120", BOTH_SIDES, methods=("fp32", "cda4rec", "markov", "cloud-only"))
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run")
    served = run.ledger[run.ledger["outcome"] == "served"]
    one, rows = id_bytes(120), served[served["method"] == "fp32"]
    assert len(rows) > 60
    assert (rows["candidates_bytes"] == LISTED * one).all()
    assert (rows["asks_bytes"] >= -(-LISTED // 8)).all()
    first, later = rows[rows["round"] == 1], rows[rows["round"] == 2]
    # A new item of the history at most, since lists stay the same and nothing was thrown out.
    dim = load("offline", overrides).backbone.dim
    assert (first["rows_bytes"] >= LISTED * 4 * dim).all() and (later["rows_bytes"] <= 4 * dim).all()
    routed = served[served["method"] == "cda4rec"]
    assert (routed["prescription_bytes"] == 1 + LISTED).all() and (routed["profile_bytes"] == 12 * one).all()
    assert routed["bits_mean"].isna().any() and (routed["macs"] > 0).any() and (routed["cloud_macs"] > 0).all()
    assert (
        routed[["asks_bytes", "rows_bytes", "candidates_bytes"]]
        .reset_index(drop=True)
        .equals(rows[["asks_bytes", "rows_bytes", "candidates_bytes"]].reset_index(drop=True))
    )
    others = run.ledger[~run.ledger["method"].isin(["fp32", "cda4rec"])]
    assert (others[["asks_bytes", "rows_bytes", "cached_rows"]] == 0).all().all()


def test_a_new_model_makes_rows_stale_and_they_come_again(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny(*CACHED, "rounds.new_model_every=2", "data.synthetic.items=120", methods=("fp32",))
    rows = chordsim.run("offline", overrides=overrides, out=tmp_path / "run").ledger.groupby("round")["rows_bytes"].mean()
    assert rows[3] > 0.8 * rows[1] > 4 * rows[2] and rows[4] < rows[3] / 4


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ('protocol.ranking="all"', 'set protocol.ranking = "candidates"'),
        ("backbone.cache_rows=20", "need at least"),
        ("protocol.candidates=1000", "more than 1000 items"),
        ('methods=["chord-aged-40"]', "reads older items too"),
    ],
)
def test_what_cannot_be_cached_is_one_clear_line(tiny: Callable[..., list[str]], tmp_path: Path, override: str, words: str) -> None:
    more = ["backbone.cache_rows=5000"] if override.startswith("protocol.candidates") else []
    with pytest.raises(chordsim.errors.UserError, match=words) as found:
        chordsim.run("offline", overrides=[*tiny(*CACHED, methods=("fp32",)), *more, override], out=tmp_path / "run")
    assert "\n" not in str(found.value)


def test_a_method_that_needs_every_row_is_told_so(tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = methods.find
    monkeypatch.setattr(settings.methods, "find", lambda name: replace(find(name), cached="no"))
    with pytest.raises(chordsim.errors.ScenarioError, match="'fp32' needs the whole catalogue on the phone: leave it out"):
        chordsim.run("offline", overrides=tiny(*CACHED, methods=("fp32",)), out=tmp_path / "run")


def test_one_hash_whatever_the_cells_and_after_a_resume(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny(*CACHED, "data.synthetic.items=120", methods=("fp32", "chord-plus"))
    hashes = {
        chordsim.run("offline", overrides=[*overrides, *more], out=tmp_path / str(n)).manifest["ledger_sha256"]
        for n, more in enumerate([["engine.cells=1"], ["engine.cells=3", "engine.workers=2"]])
    }
    assert len(hashes) == 1 and None not in hashes
