"""Parity: exported phones run in the runtime on this machine; their scores, ranks and bytes beside the ledger's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Floats, Ints
from chordsim.nets import footprint
from chordsim.runtime.opened import Export

#: Scores that are nearer than this may change places.
NEAR = 1e-4


@dataclass(frozen=True)
class Parity:
    """What running some phones showed, shape [D] where not said otherwise.

    Attributes:
        ids: Devices.
        score_difference: Largest difference of a score from the simulator's.
        rank: Of the target, by the runtime's scores.
        ledger_rank: The same in the ledger.
        near: Items whose simulated score is nearer to the target's than `NEAR`.
        model_bytes: What the ledger says that the model takes.
        parts: Mean bytes of the export by what they are, and of the ledger's model that are not exported (negative).
    """

    ids: Ints
    score_difference: Floats
    rank: Floats
    ledger_rank: Floats
    near: Ints
    model_bytes: Ints
    parts: dict[str, float]

    @property
    def equal(self) -> Bools:
        """Whose rank is the ledger's, and whose scores are all numbers."""
        return np.asarray((self.rank == self.ledger_rank) & np.isfinite(self.score_difference))

    @property
    def unexplained(self) -> Bools:
        """Whose rank differs by more than near scores can change, or whose scores are not all numbers: NaN is near to nothing."""
        return np.asarray(~(np.abs(self.rank - self.ledger_rank) <= self.near) | ~np.isfinite(self.score_difference))


def check(export: Export, count: int) -> Parity:
    """Run the first ``count`` phones that were served, at most as many as were exported.

    Args:
        export: What to run.
        count: How many phones.
    """
    source = export.source
    ids = source.served()
    planned = source.portable.planned is not None
    if planned:
        ids = ids[np.isin(ids, [entry["device_id"] for entry in export.listing["phones"]])]
    ids = ids[:count]
    cached = source.context.backbone.items == "cached"
    simulated = source.simulated(ids)
    history, listed = source.history(ids), source.listed(ids) if cached else None
    session = None if export.own_programs else export.session(None)
    scores = np.empty_like(simulated)
    for row, device in enumerate(ids.tolist()):
        loaded = export.load(device if planned else None, session)
        scores[row] = export.scores(loaded, history.items[row], None if listed is None else listed[row])
    difference = np.abs(scores - simulated)[:, 0 if cached else 1 :].max(1)
    place = np.searchsorted(source.rows["device_id"], ids)
    return Parity(
        ids,
        difference.astype(np.float64),
        source.ranks(ids, scores),
        source.rows.floats("rank")[place],
        _near(export, ids, simulated),
        source.rows["model_bytes"][place],
        _bytes(export, ids, source.rows["model_bytes"][place]),
    )


def _near(export: Export, ids: Ints, scores: npt.NDArray[np.float32]) -> Ints:
    """Return how many other items have nearly the target's score, by the simulator, [D]."""
    source = export.source
    targets = source.world.split.targets(source.world.population.users(ids), source.round)
    if source.context.backbone.items == "cached":
        listed = source.listed(ids)
        own = np.where(listed == targets[:, None], scores, -np.inf).max(1)
    else:
        own = scores[np.arange(ids.size), targets]
    # A target that no list holds has no near items, so its rank may not differ at all.
    return np.asarray(np.maximum((np.abs(scores - own[:, None]) <= NEAR).sum(1) - 1, 0), np.int64)


def _bytes(export: Export, ids: Ints, model_bytes: Ints) -> dict[str, float]:
    """Return mean bytes by what they are; what the ledger's model holds and the export does not is negative."""
    source, listing = export.source, export.listing
    shapes, portable = source.world.shapes, source.portable
    rows = sum(part.rows for part in portable.parts)
    total = float(sum(listing["files"].values()))
    levels, scales = 0.0, 4.0 * rows
    if portable.planned is not None:
        entries = [export.entry(device) for device in ids.tolist()]
        total += float(np.mean([entry["bytes"] for entry in entries]))
        levels = float(np.mean([entry["levels_bytes"] for entry in entries]))
    elif portable.packed is not None:
        levels = float(portable.packed.levels.size)
    else:
        levels, scales = 4.0 * shapes.weights, 0.0
    tables = float(portable.position.nbytes + (portable.item.nbytes if shapes.backbone.items == "owned" else 0))
    stored = float(footprint.embedding_bytes(shapes))
    extras = float(model_bytes.mean()) - stored - levels - (scales if portable.planned is None else 0.0)
    return {
        "tables": tables,
        "weights": levels,
        "scales": scales,
        "program and file formats": total - tables - levels - scales,
        "only in the ledger: rows of the cache, or rounded ones": tables - stored,
        "only in the ledger: extractor, mask, gains, source": -extras,
    }
