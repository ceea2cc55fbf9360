"""GRU4Rec (Hidasi et al. 2016) as pure functions: gated recurrent layers over the history, shared or per-phone weights.

Against the authors' code: no biases, so that padding leaves a state at zero, as if it were not there; the output table is the
item table; item embeddings times sqrt(d) and the final norm as in our SASRec, so that scores have the same scale; the loss over
all items comes from the training loop. Kept: the reset gate acts on the product with the last state (as in cuDNN), dropout
between layers (and, as for every backbone here, on the embeddings). A layer is as wide as the embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.config.model import BackboneConfig
from chordsim.nets.choice import Dropout, Fed, Weight, linear
from chordsim.nets.embeddings import scaled_rows
from chordsim.nets.layers import Layer

#: Reset gate, update gate, candidate.
GATES = ("reset", "update", "candidate")


def depth(config: BackboneConfig) -> int:
    """Return the number of recurrent layers."""
    return int(config.settings.get("layers", 1))


def layers(config: BackboneConfig) -> tuple[Layer, ...]:
    """Return the frozen layers in plan order: per recurrent layer the three gates of its inputs, then those of its state."""
    d, n = config.dim, config.max_len
    return tuple(
        Layer(f"gru{level}.{gate}_{source}", d, d, 1.0, n) for level in range(depth(config)) for source in ("in", "state") for gate in GATES
    )


def attention_macs(config: BackboneConfig) -> int:
    """Return the multiplications of one request between activations: three a number and step, in the gates."""
    return 3 * depth(config) * config.max_len * config.dim


def activation_bytes(config: BackboneConfig) -> int:
    """Return the most memory that one request's activations take at a time, float32: a layer's inputs and states, one step's gates."""
    return 4 * config.dim * (2 * config.max_len + 2 * len(GATES))


def position_rows(config: BackboneConfig) -> int:
    """Return 0: the order of items is the order of steps, so there is no table of positions."""
    return 0


def pass_macs(config: BackboneConfig) -> int:
    """Return multiply-accumulates of one pass over a whole history: that of one request, which reads every step anyway."""
    return config.max_len * sum(n.channels * n.fan_in for n in layers(config)) + attention_macs(config)


def kept_numbers(config: BackboneConfig) -> int:
    """Return how many activations the backward pass of such a pass needs: embeddings, and per layer products, gates and states."""
    return config.max_len * config.dim * (1 + depth(config) * (3 * len(GATES) + 1))


def embed(items: Tensor, item_table: Tensor, position_table: Tensor) -> Tensor:
    """Return the input states [D, L, d]: scaled item embedding, zero at padding."""
    return scaled_rows(item_table, items)


def forward(
    items: Tensor,
    states: Tensor,
    weights: Sequence[Weight | Fed],
    config: BackboneConfig,
    *,
    reads: int | None = None,
    dropout: Dropout | None = None,
) -> Tensor:
    """Run the backbone over all steps.

    Args:
        items: Item ids [D, L], int64, padded with 0 on the left.
        states: Input states [D, L, d] from `embed`.
        weights: Per layer [C, K], [D, C, K] or a `Choice`, in the order of `layers`.
        config: Shape of the backbone.
        reads: How many of the last steps are returned; None: the last alone.
        dropout: Applied between layers in training.

    Returns:
        Final states [D, reads, d], or [D, d] of the last step.
    """
    each = 2 * len(GATES)
    states = states * (items > 0).unsqueeze(-1)
    for level in range(depth(config)):
        entering = dropout(states) if dropout and level else states
        states = _recur(entering, weights[each * level : each * (level + 1)])
    out = F.layer_norm(states[:, -(reads or 1) :], states.shape[-1:])
    return out[:, -1] if reads is None else out


def _recur(inputs: Tensor, weights: Sequence[Weight | Fed]) -> Tensor:
    """Return the states [D, L, d] of one layer. Where inputs and state are zero the next state is zero."""
    fed = [linear(inputs, weight) for weight in weights[: len(GATES)]]
    own = weights[len(GATES) :]
    state = torch.zeros_like(inputs[:, :1])
    states = []
    for step in range(inputs.shape[1]):
        into = [product[:, step : step + 1] for product in fed]
        back = [linear(state, weight) for weight in own]
        reset, update = torch.sigmoid(into[0] + back[0]), torch.sigmoid(into[1] + back[1])
        candidate = torch.tanh(into[2] + reset * back[2])
        state = candidate + update * (state - candidate)
        states.append(state)
    return torch.cat(states, 1)
