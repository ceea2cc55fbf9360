"""Sizes that depend on the user, worked out from what the user's phone said: specs tell an upper end of these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chordsim.arrays import Ints
from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_PROFILE, Batch, Leg, MethodContext, MethodSpec
from chordsim.methods.cda4rec.net import on_phone
from chordsim.methods.forward_ofa.net import block_weights, flag_bytes, unpack_kept
from chordsim.nets.shapes import shapes_of
from chordsim.ragged import Ragged
from chordsim.wire.ids import unpack_ids


def exact_sizes(spec: MethodSpec, context: MethodContext, who: Batch, told: Mapping[Leg, Ragged]) -> dict[Leg, Ints]:
    """Return the payload bytes of every leg but the report, [D] each, for phones that sent what ``told`` holds."""
    most = spec.sizes(context, who)
    if spec.name == "cda4rec":
        # The planner's rule routes each history: candidates for the phone, or the list with its plan from the cloud.
        history, _ = unpack_ids(told[UP_PROFILE], context.backbone.max_len, context.n_items)
        phone = on_phone((history > 0).sum(1), int(context.settings["short_history"]))
        candidates, listed = np.where(phone, most[DOWN_CANDIDATES], 0), np.where(phone, 1, most[DOWN_PRESCRIPTION])
        return {**most, DOWN_CANDIDATES: candidates, DOWN_PRESCRIPTION: listed}
    if spec.name == "forward-ofa":
        # The profile's flags say which blocks come down.
        flags = flag_bytes(context.backbone.blocks)
        packed, _ = told[UP_PROFILE].matrix(flags + 4 * context.backbone.dim)
        kept = unpack_kept(packed[:, :flags], context.backbone.blocks)[0].sum(1)
        return {**most, DOWN_PRESCRIPTION: flags + 4 * block_weights(shapes_of(context.backbone, context.n_items)) * kept}
    return most
