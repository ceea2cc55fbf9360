"""What the cloud trains for CHORD: embeddings, extractor, mask and hypernetwork over a frozen backbone.

A step reads what came before the targets, asks the hypernetwork for utilities, buys a plan under a budget that is drawn anew for
each user, and ranks with the plan's weights. Plans are hard; gradients reach utilities through a softmax over codes at the
plan's price (straight-through estimator), so that what is trained is what phones will run.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim import seeds
from chordsim.kernels.choose import TORCH, Kernels, kernels
from chordsim.methods.chord.codebook import BALANCE, START_STD, Codebook
from chordsim.methods.chord.hypernetwork import BasePlusResidual, ThreeLevel
from chordsim.methods.chord.list_reader import ListReader
from chordsim.methods.chord.settings import START_GAINS, PlanSettings
from chordsim.methods.chord.shared.vector import Told
from chordsim.nets import extractor, terms, user_input
from chordsim.nets.backbone import last_states
from chordsim.nets.choice import fed
from chordsim.nets.frozen import draw, masked
from chordsim.nets.joined import join
from chordsim.nets.reads import reach_of
from chordsim.nets.recommender import Recommender
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.quant.allocate import Costs, storage_price
from chordsim.quant.plan import gather, split_channels
from chordsim.quant.quantizer import relative_error, scaled, table
from chordsim.quant.straight_through import mask_of, straight_through, straight_through_table

#: Positions of a step at which loss terms beside the cross-entropy are computed.
TERM_POSITIONS = 256


class Planned(Recommender):
    """A frozen backbone, a shared mask, and a hypernetwork that chooses each channel's precision per user."""

    def __init__(self, shapes: Shapes, settings: PlanSettings, seed: int, frozen: list[Tensor] | None = None) -> None:
        """Start from seeded weights.

        Args:
            shapes: The backbone.
            settings: How plans are made.
            seed: The scenario's seed.
            frozen: Weights to freeze, per layer [C, K]; drawn from the seed where None.
        """
        super().__init__(shapes, seed, "train.plan.init")
        self.settings, self.horizon, self.reach = settings, settings.horizon, max(self.reach, reach_of(settings.reads))
        self.frozen = frozen if frozen is not None else draw(shapes.layers, seed, settings.law)
        #: For `distil_weight`; set by the caller, no part of this module's own state.
        self.teacher: terms.Teacher | None = None
        self.extractor = extractor.build(settings.extractor, shapes.backbone.dim, settings.profile_dim, settings.reads)
        self.planner = self._planner()
        self._initialise()
        self.mask_scores = nn.ParameterList(
            torch.rand(w.shape, generator=self.generator) * 0.1 for w in self.frozen if settings.mask_keep < 1
        )
        start = torch.tensor(START_GAINS if settings.gains_of == "code" else (1.0,))
        self.gains = nn.ParameterList(start.repeat(n.channels, 1) for n in shapes.layers if settings.gains)
        joined = [user_input.start(shapes.backbone.dim, settings.profile_dim, self.generator)] if settings.user_input else []
        #: What turns a user embedding into a part of the backbone's inputs, [d, profile_dim]; none where it is none.
        self.user_input = nn.ParameterList(joined)
        draws = seeds.torch_generator(seed, "train.plan.lists")
        #: What joins the session's list to its user; None where plans are made from the user alone.
        self.reader = ListReader(shapes.backbone.dim, settings.profile_dim, draws) if settings.joins_lists else None
        numbers, vector = shapes.plan_bytes, settings.told == "vector"
        #: What phones are told of that, beside a plan that they share; None where nothing.
        self.told = Told(shapes.backbone.dim, settings.profile_dim, numbers, draws) if vector else None
        self._fixed: list[Tensor] | None = None
        lengths = [w.shape[1] for w in self.frozen]
        #: Layers whose rows are equally long.
        self._alike = [[n for n, length in enumerate(lengths) if length == one] for one in dict.fromkeys(lengths)]
        self.use(kernels(TORCH))
        fan_in = torch.cat([torch.full((n.channels,), n.fan_in) for n in shapes.layers])
        self._costs = Costs((fan_in[:, None] * torch.tensor(settings.widths))[None])
        self._price = storage_price(self._costs).float()
        #: By layer and code, summed over the users of a validation: how often chosen, what it was worth; and how many users.
        self._chosen, self._worth, self._met = torch.zeros(len(lengths), 4), torch.zeros(len(lengths), 4), 0

    def _planner(self) -> ThreeLevel | BasePlusResidual | Codebook:
        s = self.settings
        if s.planner == "levels":
            errors = torch.cat([relative_error(w, s.widths) for w in self.frozen])
            return ThreeLevel(self.shapes, s.profile_dim, [w.abs() for w in self.frozen], errors, s.levels)
        if s.by_number:
            return Codebook(self.shapes, s.profile_dim, s.plans)
        return BasePlusResidual(self.shapes, s.profile_dim, personal=s.planner == "personal")

    def _initialise(self) -> None:
        for name, p in [*self.extractor.named_parameters(), *self.planner.named_parameters()]:
            if name.endswith("head.weight"):
                nn.init.normal_(p, std=0.02, generator=self.generator)
            elif name == "own":
                nn.init.normal_(p, std=START_STD, generator=self.generator)
            elif p.ndim == 2 and name not in ("base", "layer"):
                nn.init.normal_(p, std=p.shape[1] ** -0.5, generator=self.generator)
            elif "bias" in name:
                nn.init.zeros_(p)

    def use(self, loops: Kernels) -> None:
        """Run the inner loops with these: the reference, or what takes less time."""
        self.kernels = loops
        if isinstance(self.planner, ThreeLevel):
            self.planner.weigh = loops.weigh

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return embeddings, extractor and gains at one rate, hypernetwork and mask at another."""
        slow = [self.item, self.position, *self.extractor.parameters(), *self.gains, *self.user_input]
        slow += [p for part in (self.reader, self.told) if part is not None for p in part.parameters()]
        return [{"params": slow, "lr": lr}, {"params": [*self.planner.parameters(), *self.mask_scores], "lr": plan_lr}]

    def masked(self) -> list[Tensor]:
        """Return the frozen weights under the shared mask, rescaled to keep their variance."""
        if not self.mask_scores:
            return self.frozen
        return [self._under_mask(w, s) for w, s in zip(self.frozen, self.mask_scores, strict=True)]

    def _under_mask(self, weights: Tensor, scores: Tensor) -> Tensor:
        keep = self.settings.mask_keep
        return masked(weights, mask_of(scores, keep, turns=self.settings.turns), keep)

    def tables(self) -> list[Tensor]:
        """Return per layer every channel at every code, [4, C, K].

        A row depends on no other, so layers whose rows are as long are one matrix here: a tenth of the operations, the same numbers.
        Without a mask and gains nothing in them is learnt, and they are made once.
        """
        if self._fixed is not None:
            return self._fixed
        out: dict[int, Tensor] = {}
        for alike in self._alike:
            weights = torch.cat([self.frozen[n] for n in alike])
            if self.mask_scores:
                weights = self._under_mask(weights, torch.cat([self.mask_scores[n] for n in alike]))
            rows = straight_through_table(weights, table(weights, self.settings.widths))
            if self.gains:
                rows = scaled(rows, torch.cat([self.gains[n] for n in alike]))
            sizes = [self.frozen[n].shape[0] for n in alike]
            out |= {n: part.contiguous() for n, part in zip(alike, torch.split(rows, sizes, 1), strict=True)}
        made = [out[n] for n in range(len(self.frozen))]
        if not (self.mask_scores or self.gains):
            self._fixed = made
        return made

    def joined(self, user: Tensor) -> Tensor | None:
        """Return what joins the inputs of users with these embeddings [B, profile_dim], [B, d]; None where nothing does."""
        return user @ self.user_input[0].T if len(self.user_input) else None

    def seen(self, user: Tensor, item_table: Tensor, listed: Tensor | None) -> Tensor:
        """Return what plans are made from [B, width]: user embeddings [B, width], joined with lists [B, N] where these are read."""
        if self.reader is None:
            return user
        assert listed is not None
        return self.reader(user, listed, item_table)  # type: ignore[no-any-return]

    def all_joined(self, user: Tensor, known: Tensor) -> Tensor | None:
        """Return what joins the inputs, [B, d], of users and of what the cloud knows, [B, width] each; None where nothing does."""
        own = self.joined(user)
        if self.told is None:
            return own
        told: Tensor = self.told(known)
        return told if own is None else own + told

    def codes(self, utilities: Tensor, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Return plans [B, C] (int64) under ``bits`` per weight [B], and each plan's multiplier [B]."""
        limits = torch.floor(bits.double() * self.shapes.weights).long()[:, None]
        plan = self.kernels.allocate(utilities.detach(), self._costs, limits, self.settings.lowest)
        return plan.codes.long(), plan.multiplier

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, horizon, d]; plans come from `windows.history` and `windows.listed` alone."""
        s = self.settings
        user = self.extractor(windows.history, self.item)
        known = self.seen(user, self.item, windows.listed)
        utilities, joined = self.planner(known), self.all_joined(user, known)
        choice = torch.randint(len(s.train_bits), (utilities.shape[0],), generator=generator)
        codes, price = self.codes(utilities, torch.tensor(s.train_bits)[choice])
        net = utilities.permute(2, 0, 1) - price[:, None] * self._price.T[:, None]
        if s.lowest:
            net = torch.cat([torch.full_like(net[: s.lowest], -torch.inf), net[s.lowest :]])
        chances = F.softmax(net / s.temperature, 0)
        weights = straight_through(chances, self.tables(), codes, self.shapes.layers, self.kernels.product)
        states = self.run(windows.inputs, fed(weights, s.activation_bits), dropout, generator, joined)
        if isinstance(self.planner, Codebook):
            states = join(states, BALANCE * self.planner.unevenness(known))
        return self._with_terms(states, windows, codes, joined, dropout, generator)

    def _with_terms(
        self, states: Tensor, windows: Windows, codes: Tensor, joined: Tensor | None, dropout: float, generator: torch.Generator
    ) -> Tensor:
        """Join the states with what the settings add to the loss, at some positions."""
        s, reads = self.settings, states.shape[1]
        if not (s.distil_weight or s.contrast_weight or s.list_weight):
            return states
        targets = windows.targets[:, -reads:]
        places = terms.some_places(targets, TERM_POSITIONS, generator)
        total = torch.zeros(())
        if s.list_weight:
            assert windows.listed is not None
            total = total + s.list_weight * terms.listed_order(states, self.item, places, windows.listed)
        if not (s.distil_weight or s.contrast_weight):
            return join(states, total)
        own = terms.log_chances(states, self.item, places)
        if s.distil_weight:
            assert self.teacher is not None
            total = total + s.distil_weight * terms.divergence(own, self.teacher.log_chances(windows.inputs, reads, places))
        if s.contrast_weight:
            with torch.no_grad():
                swapped = fed(gather(self.tables(), codes.roll(1, 0), self.shapes.layers), s.activation_bits)
                other = terms.log_chances(self.run(windows.inputs, swapped, dropout, generator, joined), self.item, places)
            total = total + s.contrast_weight * terms.preference(own, other, targets.reshape(-1)[places])
        return join(states, total)

    def last_states(self, items: Tensor, listed: Tensor | None = None) -> Tensor:
        """Return the last state [B, d] under each user's own plan at the budget by which training is selected; items are [B, reach]."""
        shipped = self.item_as_shipped()
        user = self.extractor(items, shipped)
        known = self.seen(user, shipped, listed)
        utilities, joined = self.planner(known), self.all_joined(user, known)
        codes, _ = self.codes(utilities, torch.full((items.shape[0],), self.settings.selection_bits))
        self._watch(utilities.detach(), codes)
        weights, bits = gather(self.tables(), codes, self.shapes.layers), self.settings.activation_bits
        items = items[:, -self.shapes.backbone.max_len :]
        if bits < 32:
            return last_states(items, shipped, self.position, fed(weights, bits), self.shapes.backbone, joined)
        return self.kernels.last_states(items, shipped, self.position, weights, self.shapes.backbone, joined)

    def _watch(self, utilities: Tensor, codes: Tensor) -> None:
        layers = self.shapes.layers
        chosen = torch.stack([part.flatten().bincount(minlength=4) for part in split_channels(codes, layers)])
        worth = torch.split(utilities.sum(0), [layer.channels for layer in layers])
        self._chosen = self._chosen + chosen
        self._worth = self._worth + torch.stack([part.sum(0) for part in worth])
        self._met += len(codes)

    def watched(self) -> dict[str, Tensor]:
        """Return the mean over users and channels of each layer since the last call: shares of codes, and utilities, [L, 4] each."""
        count = torch.tensor([[layer.channels] for layer in self.shapes.layers]) * max(self._met, 1)
        told = {"share": self._chosen / count, "utility": self._worth / count}
        self._chosen, self._worth, self._met = torch.zeros_like(self._chosen), torch.zeros_like(self._worth), 0
        return told
