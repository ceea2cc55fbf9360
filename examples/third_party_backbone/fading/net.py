"""The functions of the backbone: its layers in plan order, the pass over a history, and what that costs."""

import math

import torch
import torch.nn.functional as F

from chordsim.nets.choice import linear
from chordsim.nets.layers import Layer


def layers(config):
    """Return the frozen layers in plan order; one request uses each once."""
    d, hidden = config.dim, config.settings["hidden"]
    return (Layer("hidden", hidden, 2 * d, 2.0, 1), Layer("out", d, hidden, 1.0, 1))


def attention_macs(config):
    """Return multiply-accumulates of one request that no plan changes: the mean of the history."""
    return config.max_len * config.dim


def activation_bytes(config):
    """Return the most memory that one request's activations take at a time, float32."""
    return 4 * ((config.max_len + 2) * config.dim + config.settings["hidden"])


def position_rows(config):
    """Return 0: there is no table of positions."""
    return 0


def pass_macs(config):
    """Return multiply-accumulates of one pass over a whole history, all positions."""
    return config.max_len * (attention_macs(config) + sum(n.channels * n.fan_in for n in layers(config)))


def kept_numbers(config):
    """Return how many activations the backward pass of such a pass needs."""
    return config.max_len * (4 * config.dim + config.settings["hidden"])


def embed(items, item_table, position_table):
    """Return the input states [D, L, d] of item ids [D, L], zero at padding."""
    return F.embedding(items, item_table) * (math.sqrt(item_table.shape[1]) * (items > 0).unsqueeze(-1))


def forward(items, states, weights, config, *, reads=None, dropout=None):
    """Return final states [D, reads, d], or [D, d] of the last position."""
    real = (items > 0).unsqueeze(-1)
    age = torch.arange(items.shape[1])
    fade = 0.5 ** ((age[:, None] - age).clamp_min(0) / config.settings["half_life"])
    fade = (fade * (age[:, None] >= age)).to(states.dtype)[-(reads or 1) :]
    mean = (fade @ (states * real)) / (fade @ real.to(states.dtype)).clamp_min(1e-6)
    asked = torch.cat([(states * real)[:, -(reads or 1) :], mean], -1)
    hidden = F.relu(linear(asked, weights[0]))
    out = F.layer_norm(linear(dropout(hidden) if dropout else hidden, weights[1]), (config.dim,))
    return out[:, -1] if reads is None else out
