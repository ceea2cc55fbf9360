"""What the round loop sees: legs, settings, sizes, and where the halves are."""

import numpy as np

from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, MethodSpec


class Spec(MethodSpec):
    def sizes(self, context, who):
        listed = min(context.settings["listed"], context.n_items)
        return {leg: np.full(len(who), 4 * n) for leg, n in ((UP_PROFILE, 1), (DOWN_PRESCRIPTION, listed))}


def spec(name):
    return Spec(
        name,
        "what most often followed the last item",
        (UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        "whats_next.cloud:Cloud",
        "whats_next.device:Device",
        {"listed": 20},
        ranks="list",
    )
