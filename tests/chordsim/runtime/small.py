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
