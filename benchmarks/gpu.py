"""A GPU under rounds: phones a second by chunk, and a million device-rounds with real ranks, start-up and page told apart.

    python -m benchmarks.gpu [--device cuda] [--phones 1000000] [--seconds 2] [--chunks 256 4096]

Users, items and histories have MovieLens-1M's shapes and are made up; the model is untrained, since speed does not depend on what was
learnt. The table needs PyTorch, numpy and pydantic alone; where one of chordsim's other packages is missing, the rounds are left out and
a line says which. Both together are made for less than four minutes on one H100 or H200.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive
from chordsim.config.model import BackboneConfig, ProtocolConfig
from chordsim.data.history import Spans
from chordsim.errors import ChordsimError
from chordsim.kernels.accelerator import Accelerator, accelerator, named
from chordsim.nets import backbone
from chordsim.nets.choice import Choice
from chordsim.progress import Silent
from chordsim.quant.quantizer import table
from chordsim.threads import one_thread_per_product

CHUNKS = (256, 1024, 4096, 16384)
USERS, ITEMS, MEAN_LENGTH = 6040, 3416, 165
#: Rounds that the device-rounds are cut into; a chunk of them.
ROUNDS, CHUNK = 4, 4096


def phones_per_second(there: Accelerator, chunk: int, seconds: float) -> float:
    """Return how many phones a second get a state under a plan of their own, and a rank, in chunks of one size.

    Plans, histories and targets go to the device and ranks come back, as in a round.
    """
    config, made, rng = BackboneConfig(), torch.Generator().manual_seed(1), np.random.default_rng(1)
    layers = backbone.net(config).layers(config)
    rows = [table(torch.randn(n.channels, n.fan_in, generator=made) * (n.gain / n.fan_in) ** 0.5) for n in layers]
    codes = torch.randint(4, (chunk, sum(n.channels for n in layers)), generator=made, dtype=torch.uint8)
    weights = [Choice(own, part) for own, part in zip(rows, torch.split(codes, [n.channels for n in layers], 1), strict=True)]
    item = torch.randn(ITEMS + 1, config.dim, generator=made)
    position = torch.randn(backbone.position_shape(config), generator=made)
    items = torch.randint(1, ITEMS + 1, (chunk, config.max_len), generator=made)
    log = rng.integers(1, ITEMS + 1, USERS * MEAN_LENGTH).astype(np.int32)
    starts = rng.integers(0, USERS, chunk) * MEAN_LENGTH
    seen, targets, protocol = Spans(log, starts, starts + MEAN_LENGTH), rng.integers(1, ITEMS + 1, chunk), ProtocolConfig()

    def play() -> None:
        there.rank_states(there.last_states(items, item, position, weights, config), item, targets, seen, protocol)

    play()
    began, played = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        play()
        played += chunk
    return played / (time.perf_counter() - began)


class Clock(Silent):
    """Progress that notes when rounds began and ended."""

    def __init__(self) -> None:
        self.began_s = self.ended_s = 0.0
        self._rounds = False

    def start(self, title: str, total: int | None) -> None:
        """Note the first round's start."""
        self._rounds = title == "rounds"
        if self._rounds:
            self.began_s = time.perf_counter()

    def done(self, note: str = "") -> None:
        """Note the end of the last round."""
        if self._rounds:
            self.ended_s, self._rounds = time.perf_counter(), False


def device_rounds(device: str, phones: int, out: Path) -> list[tuple[str, float]]:
    """Play so many device-rounds of `chord-plus` with real ranks and return (what, seconds)."""
    import chordsim

    clock, began = Clock(), time.perf_counter()
    each = max(phones // ROUNDS, 1)
    made_up = (f"users={USERS}", f"items={ITEMS}", f"mean_length={MEAN_LENGTH}")
    chosen = [
        'data.source="synthetic"',
        *(f"data.synthetic.{word}" for word in made_up),
        "training.max_steps=0",
        f"population.devices={phones}",
        f"population.selected={each}",
        f"rounds.count={ROUNDS}",
        f"engine.device={device}",
        f"engine.chunk_size={CHUNK}",
        "engine.share_equal=false",
    ]
    run = chordsim.run("million", overrides=chosen, out=out, progress=clock)
    closed, ended = clock.ended_s or time.perf_counter(), time.perf_counter()
    served = int(run.ledger["rank"].notna().sum())
    rounds = closed - clock.began_s
    print(f"{each * ROUNDS:,} device-rounds, {served:,} of them ranked, {each * ROUNDS / rounds:,.0f} a second")
    return [("start-up", clock.began_s - began), ("first round to closed ledger", rounds), ("page and the rest", ended - closed)]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the seconds."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--phones", type=positive, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each chunk size")
    parser.add_argument("--chunks", type=positive, nargs="+", default=CHUNKS)
    asked = parser.parse_args(argv)
    one_thread_per_product()
    try:
        there = accelerator(asked.device)
    except ChordsimError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{named(asked.device)}, torch {torch.__version__}\n\n| phones of a chunk | phones/s |\n| ---: | ---: |")
    for chunk in asked.chunks:
        print(f"| {chunk:,} | {phones_per_second(there, chunk, asked.seconds):,.0f} |", flush=True)
    print()
    with tempfile.TemporaryDirectory() as folder:
        try:
            parts = device_rounds(asked.device, asked.phones, Path(folder) / "run")
        except ModuleNotFoundError as error:
            print(f"no rounds here: {error.name} is not installed")
            return 0
    for what, seconds in parts:
        print(f"{what}: {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
