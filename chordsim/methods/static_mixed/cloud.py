"""Cloud half of `static-mixed`: one plan by what rounding costs, and a model trained on under it from the full-precision reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim import seeds
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
from chordsim.quant.quantizer import levels_and_scales, quantize, relative_error
from chordsim.threads import threads_per_product
from chordsim.wire.codes import pack_codes
from server.item_tables import table_blobs
from server.training import dense
from server.training.loss import linear_cross_entropy
from server.training.rounding import Rounding
from server.training.sampler import Sampler

#: Batches, and windows of each, that curvature is the mean over: small ones, so that gradients of single users do not cancel.
BATCHES, WINDOWS = 64, 4
#: Widths of codes 0 to 3, of which 0 is not used.
CODE_WIDTHS = (2, 2, 4, 8)


class MixedCloud(QatCloud):
    """One plan for all."""

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start from the trained reference and fix the plan by what rounding its channels costs."""
        started, s = self.start_from_reference(network, logs, progress), self.context.settings
        counts = self.curvature(network, logs) if s["sensitivity"] == "fisher" else None
        network.bits.copy_(plan_of(self.shapes, [w.detach() for w in network.weights], float(s["bits"]), counts))
        return started

    def curvature(self, network: Any, logs: TrainLogs) -> list[Tensor]:
        """Return the mean squared gradient of the loss by weight, per layer [C, K]: the diagonal of the empirical Fisher matrix.

        It stands for the Hessian's (HAWQ-V2, Dong et al. 2020, has each layer's trace): at a trained model both agree in expectation.
        """
        c, total = self.context, [torch.zeros_like(w) for w in network.weights]
        draws = seeds.generator(c.seed, f"{c.name}.curvature.windows")
        sampler = Sampler(logs, c.backbone.max_len, network.horizon, draws, c.training.latest_of)
        noise = seeds.torch_generator(c.seed, f"{c.name}.curvature.noise")
        # With the rows that training reads, which phones will have.
        with threads_per_product(c.training.threads), Rounding(network, logs).in_place():
            for _ in range(BATCHES):
                windows = sampler.draw(WINDOWS)
                states = network.states(windows, 0.0, noise)
                targets = windows.targets[:, -states.shape[1] :].reshape(-1)
                places = targets.nonzero().squeeze(1)
                loss = linear_cross_entropy(states.reshape(-1, states.shape[-1])[places], network.item, targets[places])
                for sums, grad in zip(total, torch.autograd.grad(loss, list(network.weights)), strict=True):
                    sums += grad.square() / BATCHES
        return total

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Fix the plan, and train on under it where tuning is asked for."""
        if self.context.settings["tuning"]:
            return super().train(logs, progress)
        network = self.network()
        self.start(network, logs, progress)
        state = {name: value.detach().clone() for name, value in network.state_dict().items()}
        return {**state, **Rounding(network, logs).notes()}

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


def plan_of(shapes: Shapes, weights: list[Tensor], mean_bits: float, curvature: list[Tensor] | None = None) -> Tensor:
    """Return bits per channel [C] under a mean that cost the loss least.

    Args:
        shapes: The backbone.
        weights: Per layer [C, K].
        mean_bits: The mean over weights.
        curvature: Second derivatives of the loss by weight, per layer [C, K]: a channel's cost is half of their sum over squared
            changes. Without, it is the relative rounding error, weighted by the root of operations.
    """
    if curvature is None:
        macs = torch.from_numpy(footprint.channel_macs(shapes)).float()
        costs_loss = torch.cat([relative_error(w, CODE_WIDTHS) for w in weights]) * (macs / macs.max()).sqrt()[:, None]
    else:
        changed = [torch.stack([(w - quantize(w, b)).square() for b in CODE_WIDTHS], -1) for w in weights]
        costs_loss = torch.cat([0.5 * (h[..., None] * d).sum(1) for h, d in zip(curvature, changed, strict=True)])
        # Allocation looks at differences of utilities, which should not drown in their digits.
        costs_loss = costs_loss / costs_loss.max().clamp_min(1e-30)
    fan_in = torch.from_numpy(footprint.channel_fan_in(shapes))
    costs = Costs((fan_in[:, None] * torch.tensor(CODE_BITS)).unsqueeze(0))
    limit = torch.tensor([[most_bits(shapes, mean_bits)]])
    codes = allocate(-costs_loss.unsqueeze(0), costs, limit, 1).codes[0]
    return torch.tensor(CODE_BITS)[codes.long()]
