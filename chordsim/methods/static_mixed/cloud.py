"""Cloud half of `static-mixed`: one plan by rounding error, and a model trained on under it from the full-precision reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob
from chordsim.methods.qat.cloud import QatCloud
from chordsim.methods.static_mixed.spec import CODE_BITS, most_bits
from chordsim.nets import blobs, footprint
from chordsim.nets.shapes import Shapes
from chordsim.progress import Progress
from chordsim.quant.allocate import Costs, allocate
from chordsim.quant.packing import pack_levels
from chordsim.quant.plan import split_channels
from chordsim.quant.quantizer import levels_and_scales, relative_error
from chordsim.wire.codes import pack_codes
from server.item_tables import table_blobs
from server.training import dense


class MixedCloud(QatCloud):
    """One plan for all."""

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start from the trained reference and fix the plan by its rounding errors."""
        started = self.start_from_reference(network, logs, progress)
        network.bits.copy_(plan_of(self.shapes, [w.detach() for w in network.weights], float(self.context.settings["bits"])))
        return started

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Fix the plan, and train on under it where tuning is asked for."""
        if self.context.settings["tuning"]:
            return super().train(logs, progress)
        network = self.network()
        self.start(network, logs, progress)
        return {name: value.detach().clone() for name, value in network.state_dict().items()}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings, the plan, and each layer's rows packed at each width."""
        codes = torch.tensor([CODE_BITS.index(b) for b in state["bits"].tolist()])
        packed = pack_codes(codes.to(torch.uint8).numpy()[None])[0]
        stored = {"position": state["position"], "codes": torch.from_numpy(np.ascontiguousarray(packed))}
        for n, (weight, bits) in enumerate(
            zip(dense.weights(self.shapes, state), split_channels(state["bits"], self.shapes.layers), strict=True)
        ):
            for width in torch.unique(bits).tolist():
                levels, scale = levels_and_scales(weight[bits == width], int(width))
                stored[f"levels.{n}.{width}"], stored[f"scale.{n}.{width}"] = pack_levels(levels, int(width)), scale
        return [*table_blobs(self.shapes, state), Blob("weights", blobs.save(stored))]


def plan_of(shapes: Shapes, weights: list[Tensor], mean_bits: float) -> Tensor:
    """Return bits per channel [C] that leave the least relative rounding error, weighted by operations, under a mean."""
    errors = torch.cat([relative_error(w, (2, 2, 4, 8)) for w in weights])
    macs = torch.from_numpy(footprint.channel_macs(shapes)).float()
    fan_in = torch.from_numpy(footprint.channel_fan_in(shapes))
    costs = Costs((fan_in[:, None] * torch.tensor(CODE_BITS)).unsqueeze(0))
    limit = torch.tensor([[most_bits(shapes, mean_bits)]])
    codes = allocate((-errors * (macs / macs.max()).sqrt()[:, None]).unsqueeze(0), costs, limit, 1).codes[0]
    return torch.tensor(CODE_BITS)[codes.long()]
