"""`chai`: the student is smaller, learns from the teacher, and is what the phone runs."""

import numpy as np
import torch

from chordsim.methods import UP_REPORT

SMALL = {"dim": 8, "ffn_dim": 8, "blocks": 1, "heads": 1}


def test_the_student_is_what_the_phone_runs_and_it_costs_less(talk):
    t, large = talk("chai", SMALL), talk("fp32")
    turn = t.exchange()[UP_REPORT][1]
    with torch.no_grad():
        states = t.cloud.restored(t.state).last_states(torch.from_numpy(t.history.items))
    assert np.allclose(turn.scored()[:-1], (states @ t.state["item"].T).numpy()[:-1], atol=1e-5)
    cost, full = turn.cost, large.device.cost(len(t.who))
    for name in ("macs", "model_bytes", "peak_memory_bytes"):
        assert (getattr(cost, name) < getattr(full, name)).all()


def test_the_teacher_pulls_on_the_student(talk):
    t = talk("chai", SMALL)
    from chordsim.nets.windows import Windows
    from chordsim.progress import Silent

    network = t.cloud.network()
    t.cloud.start(network, t.world.logs, Silent())
    items = torch.from_numpy(t.history.items)
    windows = Windows(items[:, :-1], items[:, 1:], items[:, :0])
    states = network.states(windows, 0.0, torch.Generator().manual_seed(0))
    (states * 0.0).sum().backward()  # a loss that says nothing: what is left is the teacher's part
    assert network.item.grad.abs().sum() > 0
