"""The score that a phone is served is the score that was trained and validated: all three are one function of a history.

Of every method that the cloud trains, at the last position of a window without dropout: what the loss compares with the target is what
the phone shows after a whole exchange, and what validation ranks by. Nothing is trained for it: states are made up, far from their start,
so that every part has its say. Left out is what differs by its definition: `int8` and `uniform-k` round after training, and controls play
somebody else's plan.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from chordsim.data.split import TrainLogs
from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_PROFILE
from chordsim.methods.cda4rec.cached.net import TrainedRowRanker
from chordsim.methods.cda4rec.net import TrainedRanker
from chordsim.methods.chord.network import Planned
from chordsim.nets import embeddings
from chordsim.nets.recommender import Dense
from chordsim.nets.terms import Teacher
from chordsim.nets.windows import Windows
from chordsim.testing.talk import Talk
from server.training.rounding import WIDTHS, Rounding

#: Settings under which nothing is drawn in a step: one budget, one width, one block.
PLAN: dict[str, Any] = {"bits": 2.0, "train_bits": [2.0]}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "fp32": ("fp32", {}, {}),
    "fp32 of caser": ("fp32", {}, {"kind": "caser"}),
    "fp32 of gru4rec": ("fp32", {}, {"kind": "gru4rec"}),
    "fedavg": ("fedavg", {}, {}),
    "finetune": ("finetune", {"rate": 1e-6}, {}),
    "dccl": ("dccl", {"rate": 1e-6}, {}),
    "chai": ("chai", {}, {}),
    "qat-4": ("qat-4", {}, {}),
    "qat-2 with learnt steps": ("qat-2", {"steps": "learnt", "activation_bits": 2}, {}),
    "static-mixed": ("static-mixed", {}, {}),
    "otaro": ("otaro", {"widths": [4]}, {}),
    "frozen-3": ("frozen-3", {"gains": True}, {}),
    "diet": ("diet", {}, {}),
    "diet with a GRU": ("diet", {"extractor": "gru", "gains": True}, {}),
    "duet": ("duet", {}, {}),
    "duet of more clicks than a window": ("duet", {"clicks": 20}, {"max_len": 12}),
    "film-192": ("film-192", {"reads": [30, 8]}, {}),
    "forward-ofa": ("forward-ofa", {}, {"blocks": 1}),
    "cocorrrec": ("cocorrrec", {}, {"max_len": 23}),
    "cocorrrec of a window shorter than a mini-batch": ("cocorrrec", {}, {"max_len": 4}),
    "chord": ("chord", {"bits": 3.0, "train_bits": [3.0]}, {}),
    "chord-plus": ("chord-plus", PLAN, {}),
    "chord-plus of a user among the inputs": ("chord-plus", {**PLAN, "user_input": True, "reads": [30, 8], "gains": True}, {}),
    "chord-plus with learnt signs": ("chord-plus", {**PLAN, "signs": "learnt", "law": "signed"}, {}),
    "chord-plus with 2-bit inputs": ("chord-plus", {**PLAN, "activation_bits": 2}, {}),
    "chord-shared": ("chord-shared", PLAN, {}),
    "chord-shared told once": ("chord-shared", {**PLAN, "delivery": "bootstrap", "signs": "learnt"}, {}),
}
#: Rows of few bits, which training rounds too, where something on the cloud or the phone reads them.
OF_ROWS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("duet", "fp32", "diet", "film-192", "cocorrrec"), {}),
    "chord-plus": PLAN,
    "dccl": {"rate": 1e-6},
}
CASES |= {f"{name} on rows {bits}": (name, own, {"embedding_bits": bits}) for name, own in OF_ROWS.items() for bits in (4, "by-frequency")}
#: In the plain tests: one of each kind of fault that was found.
PLAIN = (
    "duet of more clicks than a window",
    "duet on rows 4",
    "film-192",
    "dccl on rows 4",
    "cocorrrec of a window shorter than a mini-batch",
)


def loud(network: nn.Module) -> nn.Module:
    """Move all that is learnt far from its start, but weights, which hold a scale that is their own."""
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name == "item":
                parameter[1:] += torch.randn(parameter[1:].shape, generator=noise)
            elif not name.startswith(("weights.", "steps.", "mask_scores.", "gains.")):
                parameter += 0.3 * torch.randn(parameter.shape, generator=noise)
    return network


def network_of(cloud: Any, settings: dict[str, Any]) -> Any:
    """Return a network as its method trains it, with an untrained backbone."""
    name, shapes, seed = cloud.context.name, cloud.shapes, cloud.context.seed
    if hasattr(cloud.settings if hasattr(cloud, "settings") else None, "profile_dim"):
        return loud(Planned(shapes, cloud.settings, seed))
    if not hasattr(cloud, "network"):
        return loud(Dense(shapes, seed))
    made: Any = loud(cloud.network())
    if name == "chai":
        made.teacher = Teacher(cloud.large.shapes, Dense(cloud.large.shapes, seed).state_dict())
    if name == "dccl":  # phones train in the place of what these write
        for parameter in made.writer.parameters():
            parameter.data.zero_()
    if name == "forward-ofa":  # noise must not turn a choice
        made.controller.policy["head"].bias.data.copy_(torch.tensor([-50.0, 50.0]))
    if name.startswith("qat"):
        made.bits.fill_(int(name[-1]))
        made.begin_steps()
    if name == "static-mixed":
        made.bits.copy_(torch.tensor([2, 4, 8]).repeat(len(made.bits))[: len(made.bits)])
    return made


def scores_of(network: Any, logs: TrainLogs, items: Tensor, length: int) -> npt.NDArray[np.float32]:
    """Return the scores [D, n_items + 1] of a step of training whose windows end where histories [D, reach] do."""
    inputs = items[:, -length:]
    targets = torch.zeros_like(inputs)
    targets[:, -1] = 1
    with Rounding(network, logs).in_place(), torch.no_grad():
        states = network.train().states(Windows(inputs, targets, items), 0.0, torch.Generator())
        return np.asarray((states[:, -1] @ network.item.T).numpy())


def scores_validated(network: Any, items: Tensor) -> npt.NDArray[np.float32]:
    """Return the scores [D, n_items + 1] that validation ranks by, of a network whose rows are exact."""
    with torch.no_grad():
        states = network.eval().last_states(items[:, -network.reach :])
        return np.asarray((states @ network.item_as_shipped().T).numpy())


@pytest.mark.parametrize("case", [case if case in PLAIN else pytest.param(case, marks=pytest.mark.slow) for case in CASES])
def test_the_score_served_is_the_score_trained(case: str) -> None:
    name, settings, backbone = CASES[case]
    networks: list[Any] = []

    def made(cloud: Any, logs: TrainLogs) -> dict[str, Tensor]:
        networks.append(network_of(cloud, settings))
        notes = {"trained.candidates": torch.arange(1, 4)} if name == "forward-ofa" else {}
        return {**networks[0].state_dict(), **Rounding(networks[0], logs).notes(), **notes}

    t = Talk.of(name, settings, backbone, made)
    told = torch.from_numpy(t.history.items)
    wanted = scores_of(networks[0], t.world.logs, told, t.context.backbone.max_len)
    turn = [said.device for said in t.exchange().values() if said.device.scores is not None][-1]
    got, on = turn.scores if isinstance(turn.scores, np.ndarray) else turn.scores.all(), t.who.active
    assert (turn.refusal[on] == 0).all() and wanted[on].std() > 0.5 and np.abs(wanted[0] - wanted[1]).max() > 0.5
    np.testing.assert_allclose(got[on][:, 1:], wanted[on][:, 1:], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(scores_validated(networks[0], told)[on][:, 1:], wanted[on][:, 1:], rtol=1e-3, atol=1e-3)


class Stop(Exception):
    """Enough was seen."""


@pytest.mark.parametrize(("name", "settings"), [("chai", {}), pytest.param("chord-plus", {"distil_weight": 1.0}, marks=pytest.mark.slow)])
def test_who_teaches_reads_the_rows_that_it_was_trained_with(
    name: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    models: list[Any] = []

    def fit(model: Any, *given: Any, **more: Any) -> dict[str, Tensor]:
        models.append(model)
        raise Stop

    module = {"chai": "server.half", "chord-plus": "chordsim.methods.chord.cloud"}[name]
    monkeypatch.setattr(f"{module}.fit", fit)
    with pytest.raises(Stop):
        Talk.of(name, settings, {"embedding_bits": 2})
    rows = models[0].teacher.state["item"][1:]
    assert all(row.unique().numel() <= 4 for row in rows) and rows.std() > 0


def test_what_a_channel_costs_is_told_over_the_rows_that_phones_will_have(monkeypatch: pytest.MonkeyPatch) -> None:
    clouds: list[Any] = []

    def made(cloud: Any, logs: TrainLogs) -> dict[str, Tensor]:
        clouds.append(cloud)
        return {**cloud.network().state_dict(), **Rounding(cloud.network(), logs).notes()}

    t = Talk.of("static-mixed", {}, {"embedding_bits": 2}, made)
    network, seen = clouds[0].network(), []

    def loss(states: Tensor, item: Tensor, targets: Tensor) -> Tensor:
        seen.append(item.detach().clone())
        raise Stop

    monkeypatch.setattr("chordsim.methods.static_mixed.cloud.linear_cross_entropy", loss)
    with pytest.raises(Stop):
        clouds[0].curvature(network, t.world.logs)
    assert torch.equal(seen[0], network.item_as_shipped()) and not torch.equal(seen[0], network.item)


@pytest.mark.parametrize("bits", [32, "by-frequency"])
@pytest.mark.parametrize("items", ["owned", "cached"])
def test_both_orders_that_cda4rec_joins_are_those_of_its_trainings(items: str, bits: int | str) -> None:
    """The order of the cloud's list is the reference's as it was trained, the phone's is the small ranker's."""
    made: list[Any] = []

    def state(cloud: Any, logs: TrainLogs) -> dict[str, Tensor]:
        c = cloud.context
        large = loud(Dense(cloud.shapes, c.seed))
        notes = Rounding(large, logs).notes()
        if items == "owned":
            small: Any = TrainedRanker(c.n_items, 8, c.backbone.max_len, c.seed)
        else:
            rows = embeddings.rounded(large.item.detach(), c.backbone.embedding_bits, notes.get(WIDTHS))
            small = TrainedRowRanker(rows, 8, c.backbone.max_len, c.seed)
        with torch.no_grad():  # states whose mean is far from 0, and rows that tell
            small.cell.bias_ih_l0[-8:] += 0.8
            small.item[1:] += torch.arange(1.0, c.n_items + 1)[:, None].cos() * (items == "owned")
        made.extend((large, small))
        phone = {f"phone.{name}": value for name, value in small.state_dict().items() if items == "owned" or name != "item"}
        return {**{f"cloud.{name}": value for name, value in {**large.state_dict(), **notes}.items()}, **phone}

    t = Talk.of("cda4rec", {"short_history": 0, "width": 8, "list_length": 10}, {"items": items, "embedding_bits": bits}, state)
    legs, told = t.exchange(), torch.from_numpy(t.history.items)
    large, small = (scores_of(one, t.world.logs, told, t.context.backbone.max_len) for one in made)
    shown = legs[DOWN_PRESCRIPTION].device.ranking
    moved = 0
    for d in np.flatnonzero(t.who.active):
        offered = t.who.listed[d] if items == "cached" else np.frombuffer(legs[DOWN_CANDIDATES].payload[d], np.uint8)
        cloud = sorted(offered, key=lambda item, d=d: -large[d, item])
        if items == "owned":
            had = set(t.history.items[d].tolist()) | {0}
            best = sorted((item for item in range(len(large[d])) if item not in had), key=lambda item, d=d: -large[d, item])
            assert cloud == list(offered) == best[:10]
        own = sorted(cloud, key=lambda item, d=d: -small[d, item])
        joined = sorted(cloud, key=lambda item: -(1 / (60 + cloud.index(item)) + 1 / (60 + own.index(item))))
        assert shown[d].tolist() == joined
        moved += joined != cloud
    assert moved >= 4 and UP_PROFILE in legs
