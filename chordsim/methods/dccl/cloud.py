"""Cloud half of `dccl`: learn the basis, ship it, distil what phones made of their metapatches (MoMoDistill)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim import seeds
from chordsim.arrays import Floats, Ints, State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob
from chordsim.methods.dccl import net
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.nets import blobs
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.round.updates import bounded, note
from chordsim.wire.floats import pack_floats, unpack_floats
from server.half import Trained
from server.training.adamw import AdamW
from server.training.rounding import WIDTHS

#: Users whose last items in the cloud's own logs are kept for distillation, and rows of one step.
LESSONS, BATCH = 8192, 64


class DcclCloud(Trained):
    """Ships backbone, basis and metapatch; learns from what phones send."""

    def network(self) -> net.Dccl:
        """Return the untrained network."""
        return net.Dccl(self.shapes, self.context)

    def untrained(self) -> tuple[str, ...]:
        """Return what only phones and later distillation use."""
        return "steps", "rate", "positions", "distil_steps", "distil_rate"

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start the backbone from the trained reference."""
        return self.start_from_reference(network, logs, progress)

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Learn basis and encoder, and keep the cloud's own histories for distillation, with whose they are."""
        rows = np.arange(min(len(logs), LESSONS))
        lessons = logs.history(rows, self.context.backbone.max_len + 1).items
        kept = {"lessons": torch.from_numpy(lessons), "users": torch.from_numpy(logs.user_ids[rows]), "learnt": torch.tensor(0)}
        return {**super().train(logs, progress), **{f"trained.{name}": value for name, value in kept.items()}}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the frozen backbone, and the patches apart, since they change."""
        patches = {"basis": state["basis"], "meta": state["meta"]}
        return [*model_blobs(self.shapes, state, 32), Blob("patches", blobs.save(patches))]

    def basis(self, state: State) -> Floats:
        """Return the metapatch that phones start from, [N]."""
        return np.asarray(state["meta"].flatten().numpy(), np.float64)

    def rebased(self, updates: Ragged, then: Floats, now: Floats, weight: float) -> Ragged:
        """Return older metapatches as part of the same way from the one in force.

        Ours (inference): distillation counts device models alike, so an old one counts less by being less far from what was shipped;
        it is read in the basis in force.
        """
        values, sound = unpack_floats(updates, then.size)
        return Ragged.of_matrix(pack_floats((now + weight * (values - then)).astype(np.float32)), sound)

    def learn(self, state: State, reports: Sequence[tuple[Batch, Ragged]]) -> State:
        """Distil device models: first into the cloud model, then, with it fixed, into basis and encoder.

        A device model teaches on the logs of the user that it was trained by, so models of users whose logs the cloud does not have
        teach nothing. No phone's metapatch counts as further away than its steps can lead.
        """
        s = self.context.settings
        count = self.context.backbone.blocks * int(s["rank"])
        reach, shipped = int(s["steps"]) * float(s["rate"]), state["meta"].flatten().numpy()
        received, owners = [], []
        for who, updates in reports:
            values, sound = unpack_floats(updates, count)
            note("senseless updates", who.active & ~sound)
            heard = who.active & sound
            received.append(bounded(values[heard], shipped, reach).astype(np.float32))
            # Who calls without the round loop may not know accounts: phones are then taken for their users.
            owners.append((who.device_ids if who.user_ids is None else who.user_ids)[heard])
        place = rows_of(np.concatenate(owners), state["trained.users"].numpy())
        own = np.concatenate(received)[place >= 0]
        if not len(own):
            return state
        devices = torch.from_numpy(own).view(-1, self.context.backbone.blocks, int(s["rank"]))
        lessons = state["trained.lessons"][torch.from_numpy(place[place >= 0])]
        network = self.network()
        network.load_state_dict({name: value.clone() for name, value in state.items() if not name.startswith("trained.")})
        network.item_widths = state.get(WIDTHS)
        turn = int(state["trained.learnt"]) + 1
        draw = seeds.torch_generator(self.context.seed, f"{self.context.name}.distil", round=turn)
        patches = [network.basis, network.meta, *network.encoder.parameters(), *network.writer.parameters()]
        for parameters, proxies in ((list(network.weights), False), (patches, True)):
            self._distil(network, parameters, proxies, lessons, devices, draw)
        if bool((devices != network.meta).any()):
            # A mean of equal numbers may part from them in its last bit, which would be another model.
            network.meta.data += (devices.mean(0) - network.meta.data) * 0.5
        learnt = {name: value.detach().clone() for name, value in network.state_dict().items()}
        return {**state, **learnt, "trained.learnt": torch.tensor(turn)}

    def _distil(
        self, network: net.Dccl, parameters: list[nn.Parameter], proxies: bool, lessons: Tensor, devices: Tensor, draw: torch.Generator
    ) -> None:
        """Take steps towards device models, each on its own user's lesson (and, for the cloud model, towards its own data)."""
        # Item rows do not learn here: device models were made over those that phones hold, and are taught so.
        table = network.item_as_shipped()
        optimiser = AdamW([{"params": parameters, "lr": float(self.context.settings["distil_rate"])}])
        for _ in range(int(self.context.settings["distil_steps"])):
            rows = torch.randint(len(lessons), (BATCH,), generator=draw)
            items, target = lessons[rows, :-1], lessons[rows, -1]
            with torch.no_grad():
                teacher = network.last(items, devices[rows]) @ table.T
            student = network.last(items, network.metas(items, table) if proxies else network.meta) @ table.T
            loss = F.kl_div(student.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean")
            if not proxies:
                loss = loss + F.cross_entropy(student, target)
            grads = torch.autograd.grad(loss, parameters, allow_unused=True)
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter.grad = grad
            optimiser.step()


def rows_of(users: Ints, known: Ints) -> Ints:
    """Return where each user [D] stands among the known ones [V], which ascend; -1 where it is none of them."""
    at = np.minimum(np.searchsorted(known, users), max(known.size - 1, 0))
    return np.where(known[at] == users, at, -1) if known.size else np.full(users.size, -1, np.int64)
