"""What a method is held to, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chordsim import methods
from chordsim.arrays import Floats
from chordsim.methods import Batch
from chordsim.progress import Silent
from chordsim.testing.properties import Property, held, need
from chordsim.testing.talk import Said, Talk

#: How far two ways of computing one score may lie apart, as a share of the spread of a phone's scores.
CLOSE = 1e-3


def check_method(name: str, settings: Mapping[str, Any] | None = None, backbone: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Hold a registered method against all properties in a small made world; takes seconds.

    Args:
        name: As a scenario names it.
        settings: What its ``[settings.NAME]`` says.
        backbone: What ``[backbone]`` says beside a small default.

    Returns:
        The names of the properties.

    Raises:
        PropertyFailed: The first property that it lacks, by name.
        ScenarioError: No such method, or settings that it does not take.
    """
    spec = methods.find(name)
    properties = [one for one in PROPERTIES if not (spec.by_others and one.name == "the same alone and among others")]
    return held(name, Talk.of(name, settings, backbone), properties)


def _deterministic(talk: Talk) -> None:
    _same(talk.exchange(), talk.exchange())


def _trained_again(talk: Talk) -> None:
    again = talk.cloud.train(talk.world.logs, Silent())
    need(set(again) == set(talk.state), "a second training has other tensors")
    for key, value in talk.state.items():
        need(np.array_equal(np.asarray(value), np.asarray(again[key]), equal_nan=True), f"{key} differs after a second training")


def _sized(talk: Talk) -> None:
    low, high = (spec.sizes(talk.context, talk.who) for spec in talk.spec.ends(talk.context))
    legs = {leg for leg in talk.spec.exchange if leg.kind != "report"}
    need(set(low) == set(high) == legs, f"sizes() must tell {sorted(leg.kind for leg in legs)}")
    for leg, said in talk.exchange().items():
        if leg not in legs:
            continue
        sent = talk.who.active & (True if said.cloud is None else said.cloud.refusal == 0)
        length, least, most = said.payload.lengths, np.minimum(low[leg], high[leg]), np.maximum(low[leg], high[leg])
        need((length[~sent] == 0).all(), f"{leg.kind}: bytes for phones that take no part")
        wrong = sent & ((length < least) | (length > most))
        if wrong.any():
            row = int(np.argmax(wrong))
            need(False, f"{leg.kind}: {length[row]} B are encoded, and sizes() says {least[row]} to {most[row]}")


def _ranks(talk: Talk) -> None:
    turns = [said.device for said in talk.exchange().values() if _shown(said) is not None]
    need(len(turns) == 1, f"{len(turns)} legs rank, and one must")
    cost = turns[0].cost
    need((cost.peak_memory_bytes[talk.who.active] > 0).all(), "it ranks, and its cost says no memory")
    need((cost.macs[talk.who.active] >= 0).all(), "it takes a negative number of operations")
    shown = next(x for x in map(_shown, talk.exchange().values()) if x is not None)
    need(np.isfinite(shown[talk.who.active][:, 1:]).all(), "a score is no number")


def _alone(talk: Talk) -> None:
    together = talk.exchange()
    for row in np.flatnonzero(talk.who.active)[:3].tolist():
        for leg, said in talk.alone(row).exchange().items():
            need(
                said.payload.lengths[0] == together[leg].payload.lengths[row],
                f"{leg.kind}: phone {row} alone sends another number of bytes",
            )
            need(said.device.refusal[0] == together[leg].device.refusal[row], f"{leg.kind}: phone {row} alone refuses otherwise")
            one, among = _shown(said), _shown(together[leg])
            if one is not None and among is not None:
                spread = max(float(np.ptp(among[row, 1:])), 1e-9)
                need(np.abs(one[0, 1:] - among[row, 1:]).max() <= CLOSE * spread, f"phone {row} alone ranks otherwise")


def _forgets(talk: Talk) -> None:
    first = talk.exchange()
    talk.alone(1).exchange()
    _same(first, talk.exchange())


def _survives(talk: Talk) -> None:
    for leg in talk.spec.exchange:
        if leg.kind != "report":
            for said in talk.exchange(garbled=leg).values():
                shown = _shown(said)
                need(shown is None or shown.shape[0] == len(talk.who), "garbage changed the number of phones")
    for leg in talk.spec.exchange:
        if leg.direction == "down":
            said = talk.exchange(garbled=leg)[leg]
            need((said.device.refusal[talk.who.active] > 0).all(), f"{leg.kind}: a phone runs bytes that nobody encoded")


def _learns(talk: Talk) -> None:
    if talk.spec.learns:
        updates = [said.payload for leg, said in talk.exchange().items() if leg.kind == "update"]
        batch = Batch(talk.who.device_ids, talk.who.active, 1)
        reports = [(batch, update) for update in updates]
        once, twice = talk.cloud.learn(dict(talk.state), reports), talk.cloud.learn(dict(talk.state), reports)
        for key in once:
            need(
                np.array_equal(np.asarray(once[key]), np.asarray(twice[key]), equal_nan=True),
                f"{key} differs when the same is learnt again",
            )


def _same(one: Mapping[Any, Said], other: Mapping[Any, Said]) -> None:
    for leg, said in one.items():
        need(_bytes(said) == _bytes(other[leg]), f"{leg.kind}: other bytes the second time")
        first, second = _shown(said), _shown(other[leg])
        need(first is None or (second is not None and np.array_equal(first, second, equal_nan=True)), "another ranking the second time")


def _bytes(said: Said) -> list[bytes]:
    return [said.payload[row] for row in range(len(said.payload))]


def _shown(said: Said) -> Floats | None:
    """Return what a turn ranks by, [D, n]: scores, or the places of a list."""
    turn = said.device
    if turn.ranking is not None:
        return np.asarray(turn.ranking, np.float64)
    scores = turn.scored()
    return None if scores is None else np.asarray(scores, np.float64)


PROPERTIES = (
    Property("deterministic", _deterministic),
    Property("trained the same again", _trained_again),
    Property("as large as its sizes say", _sized),
    Property("ranking once, at a cost", _ranks),
    Property("the same alone and among others", _alone),
    Property("without memory between calls", _forgets),
    Property("calm about bytes that nobody encoded", _survives),
    Property("learning the same from the same", _learns),
)
