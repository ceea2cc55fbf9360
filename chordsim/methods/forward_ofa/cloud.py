"""Cloud half of `forward-ofa`: one hypernetwork per block writes the blocks that a phone asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg, MethodContext
from chordsim.methods.forward_ofa import net as forward_ofa
from chordsim.nets import blobs, embeddings, sasrec
from chordsim.nets.draws import draw_parameters
from chordsim.nets.joined import join
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats, unpack_floats
from chordsim.wire.ids import pack_ids
from server.half import Trained, answer

WARM, COLD = 1.0, 0.3


class Writer(nn.Module):
    """The parallel hypernetworks: from interests to the user part U V^T of every layer."""

    def __init__(self, shapes: Shapes, rank: int) -> None:
        super().__init__()
        self.layers, self.rank = shapes.layers, rank
        dim = shapes.backbone.dim
        self.rows = nn.ModuleList(nn.ModuleDict({"head": nn.Linear(dim, n.channels * rank)}) for n in shapes.layers)
        self.columns = nn.ModuleList(nn.Linear(dim, n.fan_in * rank) for n in shapes.layers)

    def forward(self, interest: Tensor, base: list[Tensor]) -> list[Tensor]:
        """Return weights [D, C, K] per layer."""
        out = []
        for layer, row, column, shared in zip(self.layers, self.rows, self.columns, base, strict=True):
            assert isinstance(row, nn.ModuleDict)
            left = row["head"](interest).view(-1, layer.channels, self.rank)
            right = column(interest).view(-1, layer.fan_in, self.rank)
            out.append(shared + left @ right.transpose(1, 2) / (self.rank * layer.fan_in) ** 0.5)
        return out

    def macs(self) -> int:
        """Multiply-accumulates of all blocks of one user."""
        heads = sum(p.numel() for p in self.parameters() if p.ndim == 2)
        return heads + self.rank * sum(n.channels * n.fan_in for n in self.layers)


class ForwardOfa(Dense):
    """Controller and hypernetworks, trained together."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        s = context.settings
        self.horizon, self.budget, self.cost_weight = int(s["horizon"]), float(s["budget"]), float(s["cost_weight"])
        self.steps, self.max_steps = 0, max(context.training.max_steps, 1)
        self.controller, self.writer = forward_ofa.Controller(shapes), Writer(shapes, int(s["rank"]))
        draw_parameters(self.controller, self.generator)
        draw_parameters(self.writer, self.generator)
        with torch.no_grad():
            head = self.controller.policy["head"]
            assert isinstance(head, nn.Linear)
            head.bias[1::2] = 1.0  # begin with keeping
        macs = torch.from_numpy(forward_ofa.block_macs(shapes)).float()
        self.cost = macs / macs.sum()

    def gated(self, interest: Tensor, kept: Tensor) -> list[Tensor]:
        """Return weights [D, C, K] with both outputs of skipped blocks at zero; ``kept`` is 0 or 1, [D, blocks]."""
        weights: list[Tensor] = self.writer(interest, list(self.weights))
        for b in range(self.shapes.backbone.blocks):
            for place in (3, 5):
                weights[sasrec.PER_BLOCK * b + place] = weights[sasrec.PER_BLOCK * b + place] * kept[:, b, None, None]
        return weights

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; structure and weights come from `windows.history` alone."""
        logits, interest = self.controller(windows.history, self.item)
        self.steps += 1
        heat = max(COLD, WARM - (WARM - COLD) * self.steps / self.max_steps)
        noise = -torch.log(-torch.log(torch.rand(logits.shape, generator=generator).clamp(1e-9, 1 - 1e-7)))
        soft = F.softmax((logits + noise) / heat, -1)[..., 1]
        hard = (soft > 0.5).float()
        states = self.run(windows.inputs, self.gated(interest, hard + (soft - soft.detach())), dropout, generator)
        expected = F.softmax(logits, -1)[..., 1] @ self.cost
        return join(states, self.cost_weight * F.relu(expected / self.budget - 1).mean())

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's structure, budgets aside."""
        shipped = self.item_as_shipped()
        logits, interest = self.controller(items, shipped)
        weights = self.gated(interest, (logits[..., 1] > logits[..., 0]).float())
        return sasrec.forward(items, sasrec.embed(items, shipped, self.position), weights, self.shapes.backbone)


class ForwardOfaCloud(Trained):
    """Sends candidates, reads structure and interest, answers with kept blocks."""

    def network(self) -> ForwardOfa:
        """Return the untrained network."""
        return ForwardOfa(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> None:
        """Start the shared part of the weights from the trained reference."""
        network.load_state_dict(self.reference(logs, progress), strict=False)

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train, and note the session's candidates: the most popular items of the logs."""
        listed = min(int(self.context.settings["candidates"]), self.context.n_items)
        popular = np.argsort(-logs.popularity[1:], kind="stable")[:listed] + 1
        return {**super().train(logs, progress), "trained.candidates": torch.from_numpy(popular)}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and controller."""
        table = embeddings.encode(state["item"], self.context.backbone.embedding_bits, "item") | {"position": state["position"]}
        controller = {k.removeprefix("controller."): v for k, v in state.items() if k.startswith("controller.")}
        return [Blob("embeddings", blobs.save(table)), Blob("controller", blobs.save(controller))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Send the session's candidates, or the blocks that a profile asks for."""
        rows, n_items, config = len(who), self.context.n_items, self.context.backbone
        if leg.kind == "candidates":
            ids = state["trained.candidates"]
            table = embeddings.rounded(state["item"], config.embedding_bits)[ids].reshape(1, -1).numpy()
            one = np.concatenate([pack_ids(ids.numpy()[None], n_items), pack_floats(table)], 1)
            return answer(who, np.repeat(one, rows, 0), np.ones(rows, np.bool_), 0)
        flags = forward_ofa.flag_bytes(config.blocks)
        packed, fits = inbox.matrix(flags + 4 * config.dim)
        kept, clean = forward_ofa.unpack_kept(packed[:, :flags], config.blocks)
        interest, finite = unpack_floats(Ragged.of_matrix(packed[:, flags:]), config.dim)
        network = self.restored(state)
        with torch.inference_mode():
            layers = network.writer(torch.from_numpy(interest), list(network.weights))
            values = torch.cat([w.flatten(1) for w in layers], 1).view(rows, config.blocks, -1).numpy()
        turn = answer(who, np.zeros((rows, 0), np.uint8), fits & clean & finite, network.writer.macs())
        sent = forward_ofa.pack_blocks(kept, values).keep(who.active & (turn.refusal == 0))
        return CloudTurn(sent, turn.macs * kept.sum(1) // config.blocks, turn.refusal, turn.binding)
