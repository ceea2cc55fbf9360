"""Cloud half of `cocorrrec`: train both networks, ship the layer, answer hidden states with a correction."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg, MethodContext
from chordsim.methods.cocorrrec import net as cocorrrec
from chordsim.methods.cocorrrec.net import MINI_BATCH
from chordsim.nets import blobs, embeddings, sasrec
from chordsim.nets.draws import draw_parameters
from chordsim.nets.dropout import dropped
from chordsim.nets.recommender import Recommender
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats, unpack_floats
from server.half import Trained, answer


class CorrectionNetwork(nn.Module):
    """A GRU over hidden states, then three bias-free layers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reader = nn.GRU(dim, dim, batch_first=True)
        self.layers = nn.ModuleList(nn.Linear(dim, n, bias=False) for n in (dim, dim, cocorrrec.correction_numbers(dim)))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return flat corrections [D, numbers] of hidden states [D, m, d]."""
        _, last = self.reader(hidden)
        x = last[0]
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]

    def macs(self) -> int:
        """Multiply-accumulates of one correction."""
        gru = MINI_BATCH * sum(p.numel() for p in self.reader.parameters() if p.ndim == 2)
        return gru + sum(p.numel() for p in self.layers.parameters())


class CoCorrRec(Recommender):
    """The layer on the phone and the network on the cloud, trained together."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed, "train.cocorrrec.init")
        self.horizon = MINI_BATCH
        self.layer, self.cloud = cocorrrec.SelfCorrection(shapes), CorrectionNetwork(shapes.backbone.dim)
        for name, p in self.layer.named_parameters():
            if name in ("query", "key", "value", "output", "feed_in", "feed_out", "rate"):
                nn.init.normal_(p, std=p.shape[1] ** -0.5, generator=self.generator)
            elif name == "fast":
                nn.init.normal_(p, std=0.02, generator=self.generator)
        draw_parameters(self.cloud, self.generator)

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, object]]:
        """Return one group."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def correction(self, hidden: Tensor) -> cocorrrec.Correction:
        """Return the correction for hidden states [D, m, d]."""
        return cocorrrec.split_correction(self.cloud(hidden), self.shapes.backbone.dim)

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; the correction comes from `windows.history` alone."""
        hidden = sasrec.embed(windows.history, self.item, self.position)[:, -MINI_BATCH:]
        states = sasrec.embed(windows.inputs, self.item, self.position)
        return self.layer(windows.inputs, dropped(states, dropout, generator), self.correction(hidden))  # type: ignore[no-any-return]

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d], corrected."""
        states = sasrec.embed(items, self.item_as_shipped(), self.position)
        return self.layer(items, states, self.correction(states[:, -MINI_BATCH:]))[:, -1]  # type: ignore[no-any-return]


class CoCorrRecCloud(Trained):
    """Reads hidden states, answers with a correction."""

    def network(self) -> CoCorrRec:
        """Return the untrained network."""
        return CoCorrRec(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> None:
        """Start the embeddings from the trained reference."""
        reference = self.reference(logs, progress)
        network.load_state_dict({name: reference[name] for name in ("item", "position")}, strict=False)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and the layer."""
        table = embeddings.encode(state["item"], self.context.backbone.embedding_bits, "item") | {"position": state["position"]}
        layer = {k.removeprefix("layer."): v for k, v in state.items() if k.startswith("layer.")}
        return [Blob("embeddings", blobs.save(table)), Blob("layer", blobs.save(layer))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn hidden states into corrections."""
        dim = self.context.backbone.dim
        values, sound = unpack_floats(inbox, MINI_BATCH * dim)
        network = self.restored(state)
        with torch.inference_mode():
            made = network.cloud(torch.from_numpy(values).view(-1, MINI_BATCH, dim)).numpy()
        return answer(who, pack_floats(made), sound, network.cloud.macs())
