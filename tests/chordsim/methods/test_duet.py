"""`duet`: the head is the user's, and the phone computes what the cloud trained."""

import numpy as np
import torch

from chordsim.methods import DOWN_PRESCRIPTION
from chordsim.methods.duet import net as duet


def test_the_head_changes_with_the_clicks(talk):
    t = talk("duet")
    payload = t.exchange()[DOWN_PRESCRIPTION][0]
    assert len({bytes(row) for row, on in zip(payload, t.who.active, strict=True) if on}) > 1


def test_the_head_is_a_two_layer_network_per_user():
    torch.manual_seed(0)
    states, head = torch.randn(3, 5, 8), torch.randn(3, duet.head_numbers(8))
    out = duet.apply(states, head)
    for d in range(3):
        w1, b1 = head[d, :64].view(8, 8), head[d, 64:72]
        w2, b2 = head[d, 72:136].view(8, 8), head[d, 136:]
        expected = states[d] + torch.tanh(states[d] @ w1.T + b1) @ w2.T + b2
        assert torch.allclose(out[d], expected, atol=1e-5)


def test_phone_and_cloud_agree(talk):
    t = talk("duet")
    turn = t.exchange()[DOWN_PRESCRIPTION][1]
    with torch.no_grad():
        states = t.cloud.restored(t.state).last_states(torch.from_numpy(t.history.items))
    assert np.allclose(turn.scored()[:-1], (states @ t.state["item"].T).numpy()[:-1], atol=1e-5)
