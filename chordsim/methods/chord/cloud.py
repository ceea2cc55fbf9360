"""Cloud half of the methods that send a plan: train the hypernetwork, ship the bootstrap, allocate bits."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chordsim.arrays import State, runs
from chordsim.data.split import TrainLogs
from chordsim.errors import RunError
from chordsim.kernels.users import residual, turned_users
from chordsim.methods import INVALID, Batch, Blob, Budgets, CloudTurn, Leg, MethodContext
from chordsim.methods.chord.codebook import Codebook
from chordsim.methods.chord.hypernetwork import BLOCK, RESIDUAL_BOUND, BasePlusResidual, ThreeLevel
from chordsim.methods.chord.network import Planned
from chordsim.methods.chord.settings import SERVING, PlanSettings, plan_budget
from chordsim.nets import blobs, extractor, user_input
from chordsim.nets.frozen import fingerprint
from chordsim.nets.terms import Teacher
from chordsim.progress import Progress
from chordsim.quant.decode import unknown_phones
from chordsim.quant.packing import pack_bits
from chordsim.ragged import Ragged
from chordsim.wire.codes import pack_codes, pack_numbers
from chordsim.wire.floats import BUDGET_BYTES, unpack_budgets, unpack_floats
from server.fold_lists import FoldLists
from server.half import Cloud
from server.item_tables import table_blobs
from server.retrieval import as_trained
from server.training import dense
from server.training.curve import IMPORTANCE
from server.training.fit import fit
from server.training.rounding import WIDTHS
from server.training.validation import Validation

#: Part of a bootstrap: the matrix that turns the numbers of a session into a part of the backbone's inputs.
TOLD = "told"


class PlanCloud(Cloud):
    """Reads a user embedding and budgets, answers with one 2-bit code per channel."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        self.settings = PlanSettings.of(context.name, context.settings)
        self.shapes = self.shapes.grouped(self.settings.group)
        self._cost = plan_budget(self.shapes, self.settings)
        self._model: tuple[State, Planned] | None = None
        #: Item rows as phones hold them, of the trained networks whose plans read lists.
        self._rows: tuple[Planned, Tensor] | None = None
        #: Heads and shared part of a trained planner, which are put together once.
        self._parts: MutableMapping[BasePlusResidual, tuple[Tensor, Tensor]] = WeakKeyDictionary()

    @property
    def apart(self) -> bool:
        """Whether a phone's plan hangs on nobody else (`chordsim.methods.contract.apart`): compiled loops make one after the other."""
        return self.kernels.native and self.settings.planner != "levels" and not self.settings.joins_lists

    def recipe(self) -> dict[str, Any]:
        """Return backbone, training, plan settings and the name (draws depend on it).

        The budget that plans are served at is not among them, nor who decodes: one training serves them all.
        """
        plan = {key: value for key, value in self.context.settings.items() if key not in SERVING}
        half = {"trainer": "plan", "plan": plan, "name": self.context.name}
        lists = {"lists": self.context.lists.recipe()} if self.settings.trains_on_lists and self.context.lists else {}
        return {**super().recipe(), **half, **lists}

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train embeddings, extractor, mask and hypernetwork over the frozen backbone."""
        c, s = self.context, self.settings
        owned = c.backbone.init == "trained"
        reference = None
        if owned or s.start == "reference" or s.distil_weight:
            reference = dense.cached(c, super().recipe(), logs, progress)
        frozen = None
        if owned and reference:
            frozen = [w.view(n.channels, n.fan_in) for w, n in zip(dense.weights(self.shapes, reference), self.shapes.layers, strict=True)]
        model = Planned(self.shapes, s, c.seed, frozen)
        model.use(self.training_kernels)
        if reference and (owned or s.start == "reference"):
            with torch.no_grad():
                model.item.copy_(reference["item"])
                model.position.copy_(reference["position"])
        if reference and s.distil_weight:
            model.teacher = Teacher(self.shapes, {**reference, "item": as_trained(self.shapes, reference)})
        extra = {f"frozen.{n}": w for n, w in enumerate(frozen or ())}
        # A training of no steps, which tells sizes, reads none.
        lists = FoldLists(c, c.lists, logs, progress) if s.trains_on_lists and c.lists and c.training.max_steps else None
        state = fit(model, logs, c.training, c.backbone.max_len, c.seed, c.name, progress, lists=lists)
        return {**state, **extra, **self._importance(model, state, logs, lists)}

    def _importance(self, model: Planned, state: State, logs: TrainLogs, lists: FoldLists | None) -> State:
        """Return as notes what the three levels say, the mean over the users that chose the state; nothing of planners without levels."""
        if not isinstance(model.planner, ThreeLevel) or self.settings.sees == "candidates" and lists is None:
            return {}
        c, sums = self.context, dict[str, Tensor]()
        model.load_state_dict(dense.without_notes(state))
        shown = Validation.of(logs, model.reach, c.training.eval_users, c.seed, lists)
        listed = [None] * len(shown.history) if shown.listed is None else torch.split(shown.listed, BLOCK)
        with torch.inference_mode():
            table = model.item_as_shipped()
            for items, known in zip(torch.split(shown.history, BLOCK), listed, strict=False):
                found = model.planner.importance(model.seen(model.extractor(items, table), table, known))
                parts = {"layer": found.layer, "filter": found.filter, **{f"element.{n}": one for n, one in enumerate(found.element)}}
                sums = {name: sums.get(name, 0.0) + values.sum(0) for name, values in parts.items()}
        return {f"{IMPORTANCE}{name}": (total / len(shown.history)).clone() for name, total in sums.items()}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the backbone's seed and fingerprint, embeddings, what codes are worth or the extractor, and what the settings add."""
        model = self._restore(state)
        c = self.context
        trained = c.backbone.init == "trained"
        backbone = {"seed": c.seed, "sha256": fingerprint(model.frozen), "shipped": trained}
        parts = [Blob("backbone", json.dumps(backbone, sort_keys=True).encode())]
        if trained:
            parts.append(Blob("weights", blobs.save({str(n): w for n, w in enumerate(model.frozen)})))
        parts += table_blobs(self.shapes, state, {"position": state["position"]})
        if self.settings.delivery == "bootstrap":
            with torch.inference_mode():
                worth = model.planner(torch.zeros(1, self.settings.profile_dim))[0]
            parts.append(Blob("utilities", blobs.save({"utilities": worth.clone()})))
        if isinstance(model.planner, Codebook):
            parts.append(Blob("utilities", blobs.save({"utilities": model.planner.worth()})))
        if self.settings.reads_users:
            parts.append(Blob("extractor", blobs.save(extractor.encode(extractor.part_of(state), self.settings.extractor_bits))))
        if self.settings.user_input:
            parts.append(Blob(user_input.NAME, blobs.save(user_input.encode(model.user_input[0], self.settings.extractor_bits))))
        if model.told is not None:
            parts.append(Blob(TOLD, blobs.save(user_input.encode(model.told.matrix, self.settings.extractor_bits))))
        if self.settings.mask_keep < 1:
            under = model.masked()
            parts.append(Blob("mask", blobs.save({str(n): pack_bits(w != 0) for n, w in enumerate(under)})))
            if self.settings.turns:
                turned = (w * frozen < 0 for w, frozen in zip(under, model.frozen, strict=True))
                parts.append(Blob("turned", blobs.save({str(n): pack_bits(bits) for n, bits in enumerate(turned)})))
        if self.settings.gains:
            parts.append(Blob("gains", blobs.save({str(n): gain for n, gain in enumerate(model.gains)})))
        return parts

    def admit(self, state: State, budgets: Budgets) -> npt.NDArray[np.uint8]:
        """Refuse phones that not even the smallest plan fits, before any byte is sent."""
        floor = self._cost.costs().values[:, :, self.settings.lowest].sum(1)
        lacking = floor - self._cost.limits(budgets, self.settings.bits)
        worst = (lacking.double() / floor.clamp_min(1).double()).argmax(1)
        return torch.where((lacking > 0).any(1), worst + 1, 0).to(torch.uint8).numpy()

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn profiles into plans."""
        width = self.settings.profile_dim
        packed, fits = inbox.matrix(4 * width + BUDGET_BYTES)
        user, finite = unpack_floats(Ragged.of_matrix(packed[:, : 4 * width]), width)
        budgets, sound = unpack_budgets(packed[:, 4 * width :])
        valid = fits & finite & sound
        model = self._restore(state)
        known = budgets if self.settings.decode == "cloud" else unknown_phones(len(who))
        limits = self._cost.limits(known, self.settings.bits)
        # Controls put other users' utilities in place of a phone's own, so neighbours do not decide there.
        # Nor do embeddings alone where lists are read.
        shares = self.context.share_equal and type(self).utilities is PlanCloud.utilities and self.settings.sees == "user"
        alike = runs(user, self._cost.enough(limits).numpy()) if shares else None
        if alike is not None:
            user, limits = user[alike[0]], limits[torch.from_numpy(alike[0])]
        with torch.inference_mode():
            numbers, utilities = self._chosen(model, self._seen(model, torch.from_numpy(user), who), who)
            # Numbers that are finite but absurd overflow in the planner: that phone's question makes no sense.
            usable = torch.isfinite(utilities.sum((1, 2)))
            if not bool(usable.all()):
                utilities = torch.where(usable[:, None, None], utilities, 0.0)
            plan = self.kernels.allocate(utilities, self._cost.costs(), limits, self.settings.lowest)
        codes, refused, binding, sound = plan.codes.numpy(), plan.refused.numpy(), plan.binding.numpy(), usable.numpy()
        if alike is not None:
            codes, refused, binding, sound = (column[alike[1]] for column in (codes, refused, binding, sound))
            numbers = None if numbers is None else numbers[torch.from_numpy(alike[1])]
        valid, binding = valid & sound, (binding + 1).astype(np.uint8)
        refusal = np.where(valid, np.where(refused, binding, 0), INVALID).astype(np.uint8)
        sent = who.active & (refusal == 0)
        macs = np.full(len(who), model.planner.macs(), np.int64)
        if model.reader is not None and who.listed is not None:
            macs += model.reader.macs(who.listed.shape[1])
        answer = pack_codes(codes) if numbers is None else pack_numbers(numbers.numpy(), self.settings.plans)
        return CloudTurn(Ragged.of_matrix(answer, sent), macs, np.where(who.active, refusal, 0), binding)

    def _chosen(self, model: Planned, user: Tensor, who: Batch) -> tuple[Tensor | None, Tensor]:
        """Return the numbers of plans [D] where phones hold them, and the utilities [D, C, 4] that plans are bought by."""
        book = model.planner
        if not isinstance(book, Codebook):
            return None, self.utilities(model, user, who)
        logits = turned_users(user, book.choice.weight) if self.kernels.native else book.choice(user)
        numbers = logits.argmax(1)
        # A logit that is no number leaves no utility that is one.
        return numbers, torch.where(torch.isfinite(logits).all(1)[:, None, None], book.worth()[numbers], torch.nan)

    def _seen(self, model: Planned, user: Tensor, who: Batch) -> Tensor:
        """Return what plans are made from: user embeddings [D, width], joined with the session's lists where these are read."""
        if model.reader is None:
            return user
        if who.listed is None:
            raise RunError(f"method {self.context.name!r} reads lists, and was told none")
        if self._rows is None or self._rows[0] is not model:
            self._rows = (model, model.item_as_shipped())
        return model.seen(user, self._rows[1], torch.from_numpy(who.listed))

    def utilities(self, model: Planned, user: torch.Tensor, who: Batch) -> torch.Tensor:
        """Return the utilities [D, C, 4] that plans are made from; controls put others in their place."""
        planner = model.planner
        if not (self.kernels.native and isinstance(planner, BasePlusResidual) and planner.personal):
            return planner(user)  # type: ignore[no-any-return]
        parts = self._parts.get(planner)
        if parts is None:
            parts = self._parts[planner] = planner.heads().view(planner.shapes.channels, 4, -1), planner.shared()
        return residual(user, *parts, RESIDUAL_BOUND)

    def _restore(self, state: State) -> Planned:
        """Return the trained networks, rebuilt once per state."""
        held = self._model
        if held is None or held[0] is not state:
            frozen = [state[f"frozen.{n}"] for n in range(len(self.shapes.layers))] if "frozen.0" in state else None
            model = Planned(self.shapes, self.settings, self.context.seed, frozen)
            model.load_state_dict({k: v for k, v in state.items() if not k.startswith(("trained.", "frozen."))})
            model.item_widths = state.get(WIDTHS)
            model.requires_grad_(False).eval()
            model.use(self.kernels)
            self._model = held = (state, model)
        return held[1]
