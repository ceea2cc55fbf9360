"""A finished run as exporters need it: the method's trained bootstrap, the plans that went out, histories, and the ledger's last round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch

from chordsim import evaluate, methods
from chordsim.arrays import Floats, Ints
from chordsim.errors import UserError
from chordsim.files import read_json
from chordsim.ledger.damage import named
from chordsim.ledger.parquet import file_name, read_rows
from chordsim.ledger.rows import Rows
from chordsim.methods import DOWN_PRESCRIPTION, UP_REPORT, History, MethodContext, MethodSpec, PhoneBatch
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.runtime.graphs import Inputs
from chordsim.runtime.portable import Portable
from chordsim.scenario.load import load
from chordsim.store import plans
from chordsim.wire.codes import pack_codes
from chordsim.world import World, build

_WHICH = "fp32, int8, uniform-k, qat-k, and methods of plans (chord, chord-plus, chord-shared and their controls)"


@dataclass(frozen=True)
class Source:
    """One method of one run.

    Attributes:
        run: The run directory.
        manifest: Its manifest.
        world: Its scenario with data and phones.
        spec: The method.
        context: Its settings.
        half: The device half, with
        model: what it loaded.
        portable: The same for phone runtimes.
        parts: Bytes of each part of the bootstrap, by label.
        rows: The ledger's last round.
    """

    run: Path
    manifest: Mapping[str, Any]
    world: World
    spec: MethodSpec
    context: MethodContext
    half: Any
    model: Any
    portable: Portable
    parts: Mapping[str, int]
    rows: Rows

    @property
    def round(self) -> int:
        """The round that is exported: the last."""
        return self.rows.round

    @property
    def inputs(self) -> Inputs:
        """What its programs take."""
        return Inputs(self.context.backbone, self.portable.joined is not None)

    def plans(self) -> dict[int, bytes]:
        """Return plans that phones applied in the round, packed codes by device.

        Of phones whose prescription the run kept; where phones have all that they need for one since the bootstrap, of the first served.
        """
        sends = DOWN_PRESCRIPTION in self.spec.exchange
        inbox = self.sent() if sends else dict.fromkeys(self.served()[: plans.KEPT].tolist(), b"")
        applies = getattr(self.half, "plan", None)
        if not inbox or applies is None:  # a half of a third party may apply what came as it is
            return inbox
        ids = np.array(sorted(inbox), np.int64)
        codes, broken = applies(self.model, self._who(ids), Ragged.of_rows(inbox[device] for device in ids.tolist()))
        packed = pack_codes(codes.numpy())
        return {device: packed[row].tobytes() for row, device in enumerate(ids.tolist()) if not broken[row]}

    def _who(self, ids: Ints) -> PhoneBatch:
        return PhoneBatch(ids, np.ones(ids.size, np.bool_), self.round, self.world.population.profiles(ids).budgets)

    def sent(self) -> dict[int, bytes]:
        """Return the prescriptions of the round that the run kept, by device."""
        path = self.run / plans.FILE
        if not path.is_file():
            return {}
        with named(path):
            table = pq.read_table(path).to_pydict()
            kept = zip(table["method"], table["round"], table["device_id"], table["codes"], strict=True)
            return {device: codes for method, round, device, codes in kept if method == self.spec.name and round == self.round}

    def served(self) -> Ints:
        """Return which devices the model ranked for in the round, by id."""
        ran = self.rows.is_word("served_by", "fresh") & ~np.isnan(self.rows.floats("rank"))
        return np.asarray(self.rows["device_id"][ran], np.int64)

    def history(self, ids: Ints) -> History:
        """Return what the phones' users did before the round, as much of it as the method reads, [D, n], at least max_len."""
        reads = self.spec.history_length(self.context.backbone.max_len) - self.spec.extra_history
        return self.world.split.history(self.world.population.users(ids), self.round, reads)

    def simulated(self, ids: Ints) -> npt.NDArray[np.float32]:
        """Return the scores that the simulator's phones compute, [D, n_items + 1], or of the protocol's lists where items are cached.

        Args:
            ids: Devices, whose prescription the run kept where the method sends one.
        """
        split, population = self.world.split, self.world.population
        history = split.history(population.users(ids), self.round, self.spec.history_length(self.context.backbone.max_len))
        sends, sent = DOWN_PRESCRIPTION in self.spec.exchange, self.sent()
        inbox = Ragged.of_rows(sent[device] for device in ids.tolist()) if sends else Ragged.empty(ids.size)
        with torch.inference_mode():
            turn = self.half.act(self.model, {}, DOWN_PRESCRIPTION if sends else UP_REPORT, self._who(ids), history, inbox)
        scores = turn.scores
        if not isinstance(scores, np.ndarray):
            scores = scores.of(self.listed(ids)) if self.context.backbone.items == "cached" else scores.all()
        return np.asarray(scores, np.float32)

    def check_lists(self) -> None:
        """Refuse to compare ranks among lists that cannot be made again.

        Raises:
            UserError: A model lists, which the run trained beside its methods.
        """
        if self.world.scenario.protocol.retriever == "model":
            lists = 'the lists of protocol.retriever = "model", which a run makes and does not keep'
            raise UserError(f"{self.run}: --check compares ranks among {lists}: export without it")

    def listed(self, ids: Ints) -> Ints:
        """Return the items that the protocol ranks for each phone, [D, n]."""
        listed = self.world.candidates(self.world.population.users(ids))
        assert listed is not None
        return listed

    def ranks(self, ids: Ints, scores: npt.NDArray[np.float32]) -> Floats:
        """Return the rank of each phone's target among scores as `simulated` gives them, by the run's protocol."""
        split, scenario = self.world.split, self.world.scenario
        users = self.world.population.users(ids)
        targets, seen = split.targets(users, self.round), split.seen(users, self.round)
        if self.context.backbone.items == "cached":
            return evaluate.rank_listed(scores, self.listed(ids), targets, seen, scenario.protocol, self.world.n_items)
        draw = (scenario.seed, users, self.round)
        return evaluate.rank_scores(scores, targets, seen, scenario.protocol, draw, self.world.candidates(users))

    def about(self) -> dict[str, Any]:
        """Return what every exported file says of where it comes from."""
        return {
            "scenario": self.world.scenario.name,
            "seed": self.world.scenario.seed,
            "ledger_sha256": self.manifest.get("ledger_sha256"),
            "method": self.spec.name,
            "round": self.round,
        }


def source_of(run: Path, method: str, progress: Progress) -> Source:
    """Read a run and find the trained state of one of its methods, in the cache or by training it again.

    Args:
        run: The run directory.
        method: Name of the method.
        progress: Where training reports to.

    Raises:
        UserError: No finished run, no such method in it, or one that no program of tables and weights holds.
    """
    if not (run / "scenario.toml").is_file():
        raise UserError(f"{run}: not a run directory: no scenario.toml in it")
    scenario, manifest = load(run / "scenario.toml"), read_json(run / "manifest.json")
    if method not in scenario.methods:
        raise UserError(f"{run}: no method {method!r} in this run: it has {', '.join(scenario.methods)}")
    if scenario.protocol.metrics == "none":
        raise UserError(f'{run}: a run of protocol.metrics = "none" trained no model to export')
    path = run / "ledger" / file_name(method, scenario.rounds.count)
    if not path.is_file():
        raise UserError(f"{run}: the ledger has no round {scenario.rounds.count} of {method}: finish the run with --resume {run}")
    rows = read_rows(path)
    world = build(scenario, progress)
    spec, context = world.specs[method], world.context(method)
    half = methods.load(spec.device)(context)
    portable_of = getattr(half, "portable", None)
    cloud = methods.load(spec.cloud)(context)
    if portable_of is None or spec.needs_autograd or spec.learns:
        raise UserError(f"{method} cannot be exported: its phones do more than run a model; exported are {_WHICH}")
    # A half of a third party may know no cache.
    state = (getattr(cloud, "trained", None) or cloud.train)(world.logs, progress)
    blobs = {blob.label: blob.data for blob in cloud.bootstrap(state)}
    portable = portable_of(blobs)
    if portable is None:
        raise UserError(
            f"{method} cannot be exported as the run has set it: its phones do more than run a model; docs/phone-runtime.md says which "
            f"settings are not exported of {_WHICH}"
        )
    sizes = {label: len(data) for label, data in blobs.items()}
    return Source(run, manifest, world, spec, context, half, half.load(blobs), portable, sizes, rows)
