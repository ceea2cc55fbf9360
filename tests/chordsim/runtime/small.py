"""What the small run of the tests of phone runtimes is set to."""

from __future__ import annotations

METHODS = ("fp32", "int8", "uniform-2", "chord", "chord-plus", "finetune")
SMALL = [
    f"methods={list(METHODS)}".replace("'", '"'),
    "training.max_steps=4",
    "training.eval_users=20",
    "data.synthetic.users=40",
    "data.synthetic.items=60",
    "backbone.dim=16",
    "backbone.ffn_dim=16",
    "backbone.max_len=12",
    "rounds.count=1",
    "settings.chord-plus.gains=true",
    'settings.chord-plus.signs="learnt"',
    *(f"population.tiers.{tier}.memory_of_fp32=50" for tier in ("low", "mid", "high")),
]
#: What asks more of a phone than a program that takes a history: a vector of more items than the backbone reads, a plan that the phone
#: buys of what its bootstrap says, one that it reads by a table of its own.
MORE = ("fp32", "chord-plus", "chord-shared", "chord")
_READER = ("user_input=true", "reads=[20, 8]")
MORE_SETTINGS = [
    *SMALL[1:],
    f"methods={list(MORE)}".replace("'", '"'),
    "data.synthetic.mean_length=40",
    *(f"settings.{method}.{key}" for method in ("fp32", "chord-plus", "chord-shared") for key in _READER),
    'settings.chord-shared.delivery="bootstrap"',
    'settings.chord.decode="device"',
]
