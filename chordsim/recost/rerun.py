"""Recost of a run that ranked nothing: its rounds in closed form on the other phones are the rerun itself."""

from __future__ import annotations

from typing import Any

from chordsim.errors import UserError
from chordsim.ledger.names import NOT_KEPT
from chordsim.report.source import Source
from chordsim.round import sizes
from chordsim.round.bindings import Tally
from chordsim.sized import SizedWorld


def before(source: Source) -> dict[str, Any]:
    """Return what the run cost by method; a fleet whose rows were not kept has its sums.

    Raises:
        UserError: The run did not end.
    """
    if not source.summary:
        raise UserError(f"{source.path}: has no summary.json: the run is {source.status}, and a run of sizes alone is started anew")
    return source.summary


def after(world: SizedWorld, source: Source) -> dict[str, Any]:
    """Play all rounds in sizes and return the same figures, with users told apart where the run did."""
    players = sizes.players(world, sizes.bootstraps(world))
    nobody = NOT_KEPT in source.manifest
    tally = Tally(1 if nobody else world.n_users, world.population, world.scenario)
    for round in range(1, world.scenario.rounds.count + 1):
        ids = world.population.select(round)
        for player in players:
            for played in sizes.play(player, world, round, ids):
                tally.add(played.rows.of_nobody() if nobody else played.rows)
    return tally.methods()
