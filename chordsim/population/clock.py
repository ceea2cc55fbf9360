"""How long a round takes a phone, where a transfer is cut, who is late, and what the battery pays: pure functions."""

from __future__ import annotations

import math

import numpy as np

from chordsim import seeds
from chordsim.arrays import Floats, Ints
from chordsim.config.model import ClockConfig

#: Seconds that the radio stays on after its last byte of a round (assumed).
RADIO_TAIL_S = 2.0


def jitter_factors(seed: int, device_ids: Ints, round: int, legs: int, jitter: float) -> Floats:
    """Return log-normal factors with median 1 for the seconds of each transfer, [D, legs].

    The same for every method, so that methods meet the same weather.
    """
    if not legs:
        return np.ones((len(device_ids), 0))
    # One purpose per leg: the first leg's weather does not depend on how many legs follow.
    draws = [seeds.normals(seed, f"clock.jitter.{leg}", device_ids, round=round) for leg in range(legs)]
    return np.asarray(np.exp(jitter * np.concatenate(draws, axis=1)))


def transfer_s(size_bytes: Ints, rate_bytes_per_s: Floats, round_trip_s: Floats, jitter: Floats | float = 1.0) -> Floats:
    """Return the seconds of one message per device: a round trip, then bytes over rate, times a jitter factor.

    A message of no bytes is not sent and takes no time. All arguments broadcast to the shape of ``size_bytes``.
    """
    seconds = (round_trip_s + size_bytes / rate_bytes_per_s) * jitter
    return np.asarray(np.where(np.asarray(size_bytes) > 0, seconds, 0.0))


def cut_fractions(seed: int, device_ids: Ints, round: int, legs: int, loss: float) -> Floats:
    """Return how much of each transfer crosses before the connection is lost for this round, [D, legs].

    Args:
        seed: The scenario's seed.
        device_ids: Shape [D].
        round: The round.
        legs: Number of transfers in the method's exchange.
        loss: Probability that a device's round is cut in one of its transfers, each equally likely.

    Returns:
        1.0 for a whole transfer; in [0, 1) for the one that is cut. Transfers after it never begin, whatever
        their value here. The same for all methods with as many legs.
    """
    whole = np.ones((len(device_ids), legs))
    if not legs or not loss:
        return whole
    hit = seeds.uniforms(seed, "clock.cut", device_ids, round=round)[:, 0] < loss
    leg = np.floor(seeds.uniforms(seed, "clock.cut.leg", device_ids, round=round)[:, 0] * legs).astype(np.int64)
    crossed = seeds.uniforms(seed, "clock.cut.fraction", device_ids, round=round)[:, 0]
    rows = np.flatnonzero(hit)
    whole[rows, leg[rows]] = crossed[rows]
    return whole


def closes_s(total_s: Floats, wanted: int, config: ClockConfig) -> float:
    """Return when a round closes: at its deadline, quorum or quantile, whichever comes first; infinity waits for everyone.

    Args:
        total_s: Seconds of the phones that will finish, in any order.
        wanted: Phones that the round wants, to which the quorum refers.
        config: The scenario's ``[clock]``.
    """
    ends = [config.deadline_s] if config.deadline_s > 0 else []
    finishing = np.sort(total_s)
    quorum, part = math.ceil(config.quorum * wanted), math.ceil(config.quantile * finishing.size)
    ends += [float(finishing[count - 1]) for count in (quorum, part) if 0 < count <= finishing.size]
    return min(ends, default=math.inf)


def compute_j(macs: Ints, j_per_mac: Floats) -> Floats:
    """Return the joules of on-device operations, [D]."""
    return np.asarray(macs * j_per_mac)


def radio_j(radio_w: Floats, transfers_s: Floats) -> Floats:
    """Return the joules of a round's transfers, [D]: their seconds and one tail, nothing if nothing was sent."""
    on_s = np.asarray(transfers_s) + RADIO_TAIL_S
    return np.asarray(np.where(np.asarray(transfers_s) > 0, radio_w * on_s, 0.0))
