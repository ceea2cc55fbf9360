"""What one seed decides: scenario, methods, engine, phones that lie, and which faults come when."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.faults.kinds import DISK, LINE, REST

#: Methods that play within a second; what is trained is trained once for all seeds.
METHODS = ("fp32", "uniform-2", "chord-plus", "chord-shared", "cloud-only", "popularity", "markov", "fedavg", "dccl")
TINY = (
    "data.synthetic.users=40",
    "data.synthetic.items=60",
    "data.synthetic.groups=4",
    "data.synthetic.mean_length=16.0",
    "backbone.dim=16",
    "backbone.ffn_dim=16",
    "backbone.max_len=12",
    "training.max_steps=5",
    "training.eval_every=5",
    "training.batch=16",
    "training.threads=1",
)
SMALL_PROFILES = {"chord-plus": "settings.chord-plus.profile_dim=8", "chord-shared": "settings.chord-shared.profile_dim=8"}


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: One of `benchmarks.faults.kinds`.
        at: At which write, exchange or ending it comes, counted in each attempt from 0.
        part: Where in a file or among phones and cells, from 0 to 1.
    """

    kind: str
    at: int
    part: float


@dataclass(frozen=True)
class Plan:
    """All that a seed decides.

    Attributes:
        seed: The seed.
        overrides: Of the scenario `offline`.
        engine: ``inprocess`` or ``ray``.
        workers: How many.
        liars: One phone in so many sends garbage, in both runs; 0 for none.
        faults: One for each attempt; an attempt without one plays to the end.
    """

    seed: int
    overrides: tuple[str, ...]
    engine: str
    workers: int
    liars: int
    faults: tuple[Fault, ...]


def plan(seed: int, engine: str = "inprocess") -> Plan:
    """Return what a seed decides."""
    draw = random.Random(f"faults {seed}")
    methods = draw.sample(METHODS, draw.choice((1, 2, 2, 3)))
    overrides = [
        f"methods={list(methods)!r}".replace("'", '"'),
        *TINY,
        *(SMALL_PROFILES[name] for name in methods if name in SMALL_PROFILES),
    ]
    overrides += [
        f"rounds.count={draw.randint(2, 4)}",
        f"clock.loss={draw.choice((0, 0, 0.1, 0.3))}",
        f"engine.chunk_size={draw.choice((8, 16, 64))}",
        f"engine.cells={draw.choice((0, 1, 3, 5))}",
        f"population.selected={draw.choice((0, 0, 25))}",
        f"rounds.new_model_every={draw.choice((0, 0, 2))}",
        f'population.availability.kind="{draw.choice(("always", "diurnal"))}"',
        f"clock.deadline_s={draw.choice((0, 0, 30))}",
    ]
    kinds = [*DISK, *LINE, *REST, *(("worker", "raylet") if engine == "ray" else ())]
    faults = tuple(Fault(draw.choice(kinds), int(draw.expovariate(0.12)), draw.random()) for _ in range(draw.randint(1, 4)))
    workers, liars = draw.choice((1, 2)), draw.choice((0, 0, 5))
    # One Ray plays ten seeds in a row, since starting one takes longer than playing a seed.
    return Plan(seed, tuple(overrides), engine, 1 + seed // 10 % 2 if engine == "ray" else workers, liars, faults)
