"""Which rounds a forecast plays for a run of any number of rounds: the first ones, and what the later ones are like.

Beyond `MOST` rounds of one version of the model nothing new happens: phones that are asked hold it, the hours of the day have come by.
The last of the played rounds stand for those that are left out. First contacts become rarer by the share of the fleet that is asked
each round, so rows that download a bootstrap stand for fewer (inference: who was not asked yet is asked with that chance).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chordsim.config.model import Scenario

#: Rounds of one version that are played one by one; a day of hourly rounds.
MOST = 24


@dataclass(frozen=True)
class Turn:
    """A round that is played.

    Attributes:
        round: Its number.
        weight: How many rounds it stands for.
        first: How many it stands for in what phones download that lack the model.
    """

    round: int
    weight: float
    first: float


def turns(scenario: Scenario, share: float, *, learns: bool) -> list[Turn]:
    """Return the rounds to play, at most `MOST` of the first version and as many of the second.

    Args:
        scenario: The scenario.
        share: Share of the fleet that a round asks.
        learns: Whether the method makes a version of its own in every round, which everybody lacks each time.
    """
    count = scenario.rounds.count
    every = 0 if learns else scenario.rounds.new_model_every
    life = min(every or count, count)
    out = _life(1, life, 1.0, share, learns)
    if count > life:
        # Every later version is like the second one; the last may be cut short.
        out += _life(life + 1, min(life, count - life), (count - life) / min(life, count - life), share, learns)
    return out


def _life(first: int, length: int, times: float, share: float, learns: bool) -> list[Turn]:
    played = min(length, MOST)
    left = length - played
    # The rounds left out are like the second half of those played: the first contacts of the beginning are over there.
    window = math.ceil(played / 2)
    fewer = sum((1 - share) ** k for k in range(window // 2, window // 2 + min(left, 10_000))) if share < 1 and not learns else 0.0
    out = []
    for place in range(played):
        late = place >= played - window
        more = left / window if late else 0.0
        first_more = more if learns else (fewer / window if late else 0.0)
        out.append(Turn(first + place, times * (1 + more), times * (1 + min(first_more, more))))
    return out
