"""How a plan is made: the settings of `chord`, `chord-plus` and `chord-shared`, the same on both sides."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from chordsim.errors import ScenarioError
from chordsim.nets.kinds import EXTRACTORS, LAWS
from chordsim.nets.reads import READS, WORDS, are_lengths, held_bytes

if TYPE_CHECKING:
    from chordsim.nets.shapes import Shapes
    from chordsim.quant.budget import PlanBudget

PLANNERS = ("levels", "personal", "shared", "codebook")
LEVELS = ("layer", "filter", "element")
DECODERS = ("cloud", "device")
SEEN = ("user", "candidates")
TOLD = ("nothing", "vector")
SWAPPED = ("user", "list")
GAINED = ("channel", "code")
SIGNS = ("drawn", "learnt")
STARTS = ("scratch", "reference")
#: Where the scales of codes 0 to 3 start: the base's first choice as it is, softer, louder.
START_GAINS = (1.0, 1.0, 0.5, 2.0)
#: Settings of serving alone: one training serves all of their values.
SERVING = ("bits", "decode", "extractor_bits", "plans_of", "delivery", "fuse", "swaps", "aged")
#: Methods whose plans the controls take.
CONTROLLED = ("chord-plus", "chord")
#: When a plan that is the same for all reaches a phone.
DELIVERIES = ("session", "bootstrap")


def _whole(low: int, high: int) -> tuple[Callable[[Any], bool], str]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high, f"a whole number from {low} to {high}"


def _one_of(words: tuple[str, ...]) -> tuple[Callable[[Any], bool], str]:
    return lambda v: v in words, " or ".join(f'"{word}"' for word in words)


_FLAG: tuple[Callable[[Any], bool], str] = (lambda v: isinstance(v, bool), "true or false")
_WEIGHT: tuple[Callable[[Any], bool], str] = (lambda v: 0 <= v <= 1e3, "a number from 0 to 1000")
#: What each setting may be, and the same in words.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "planner": _one_of(PLANNERS),
    "plans": _whole(2, 4096),
    "widths": (
        lambda v: len(v) == 4 and list(v) == sorted(v) and all(w in (0, 2, 3, 4, 5, 6, 7, 8) for w in v),
        "four of 0 and 2 to 8 bits, none below the one before",
    ),
    "group": _whole(0, 4096),
    "lowest": _whole(0, 2),
    "bits": (lambda v: 0 < v <= 32, "above 0 and at most 32"),
    "train_bits": (lambda v: len(v) > 0 and all(0 < b <= 32 for b in v), "budgets, each above 0 and at most 32"),
    "mask_keep": (lambda v: 1e-3 <= v <= 1, "a number from 0.001 to 1"),
    "temperature": (lambda v: 1e-3 <= v <= 1e3, "a number from 0.001 to 1000"),
    "levels": (lambda v: all(level in LEVELS for level in v), f"some of {', '.join(LEVELS)}"),
    "extractor": _one_of(EXTRACTORS),
    "extractor_bits": (lambda v: v in (32, 16, 8) and not isinstance(v, bool), "32, 16 or 8"),
    "profile_dim": _whole(1, 4096),
    "user_input": _FLAG,
    "reads": (are_lengths, WORDS),
    "horizon": _whole(1, 1000),
    "gains": _FLAG,
    "gains_of": _one_of(GAINED),
    "law": _one_of(LAWS),
    "signs": _one_of(SIGNS),
    "start": _one_of(STARTS),
    "distil_weight": _WEIGHT,
    "contrast_weight": _WEIGHT,
    "sees": _one_of(SEEN),
    "list_weight": _WEIGHT,
    "fuse": _FLAG,
    "told": _one_of(TOLD),
    "aged": _whole(0, 10_000),
    "swaps": _one_of(SWAPPED),
    "decode": _one_of(DECODERS),
    "plans_of": _one_of(CONTROLLED),
    "delivery": _one_of(DELIVERIES),
    "activation_bits": _whole(2, 32),
}


@dataclass(frozen=True)
class PlanSettings:
    """How a plan is made.

    Attributes:
        planner: ``levels`` (three importance levels), ``personal`` or ``shared`` (base plus residual), or ``codebook`` (one of some plans
            that all phones hold, `chordsim.methods.chord.codebook`).
        plans: How many plans a codebook has; no matter to other planners.
        widths: Bits that codes 0 to 3 stand for.
        group: How many neighbouring weights of a channel share a code; 0: all of the channel.
        lowest: The smallest code in use; 1 where code 0 is reserved.
        bits: Budget in stored bits per weight, averaged by fan-in, that plans are served at; training does not know it.
        train_bits: Budgets drawn from in training, so that one hypernetwork serves every device; the checkpoint is
            chosen on validation at the largest.
        mask_keep: Share of elements that the shared mask keeps; 1 is no mask.
        temperature: Of the softmax that carries gradients to utilities.
        levels: Which importance levels are on, for ``planner = "levels"``.
        extractor: ``mean`` or ``gru``.
        extractor_bits: Of the extractor's matrices on phones, rounded after training: 32, 16, or 8 with a scale a row.
        profile_dim: Size of the user embedding.
        user_input: Whether the user embedding, through a learnt matrix, is added to all inputs of the backbone, in training and on phones.
        reads: How many of the user's last items each mean of the extractor ``mean`` is of; the default within the backbone's window, others
            wherever they reach.
        horizon: Targets per window that the loss uses.
        gains: Whether the bootstrap brings a learnt scale for each channel, the same for everybody: what random weights cannot learn
            otherwise is how large an output should be (after learnt step sizes, Esser et al. 2020; here inference).
        gains_of: What has such a scale: each ``channel``, or each ``code`` of each channel, so that codes of one width
            are different steps of the same bits and a plan chooses among them (inference). Codes start from `START_GAINS`.
        law: What frozen weights are drawn from (`chordsim.nets.kinds.LAWS`).
        signs: Whether a kept weight has the sign that it was ``drawn`` with, or one that training ``learnt`` beside the mask and the
            bootstrap brings, a bit for each weight (inference).
        start: Where embeddings start from: ``scratch`` is random, ``reference`` those of the trained full-precision model, from which
            `qat-k` and `static-mixed` start too.
        distil_weight: Of the divergence from the full-precision reference's scores in training; 0 trains without a teacher.
        contrast_weight: Of a term that rewards a user's own plan over another user's in training; 0 is without.
        sees: What plans are made from: the ``user``, or the ``candidates`` too, the list that the cloud made for the session
            (`chordsim.methods.chord.list_reader`); in training, one by a retriever that has not seen the user.
        list_weight: Of the divergence of the order of the listed items from the retriever's in training; 0 is without.
        fuse: Whether a phone shows the list by the sum of reciprocal ranks of the cloud's order and its own, or by its own alone.
        told: What a phone with the plan of the bootstrap is told each session: ``nothing``, or a ``vector`` of as many bytes as a plan,
            made from user and list (`chordsim.methods.chord.shared.vector`); of `chord-shared` alone.
        aged: How many of the user's last items that vector does not know, as one that nobody refreshed since.
        swaps: What is another's in the plans of `chord-swapped`: the ``user``, or the ``list``.
        decode: Who turns codes into bits: the ``cloud``, which reads budgets and sends precisions, or the ``device``, which gets
            importance codes and reads them by a table of its own (`chordsim.quant.decode`).
        plans_of: Whose plans a control takes: `chord-plus` or `chord`; no matter to other methods.
        delivery: When a phone is told the plan that all share: each ``session``, or once, in the ``bootstrap``, as what every code of
            every channel is worth, from which it buys its own plan by its budgets; of `chord-shared` alone.
        activation_bits: To how many bits what weights are multiplied with is rounded, in training and on phones; 32 does not.
    """

    planner: str
    plans: int = 16
    widths: tuple[int, int, int, int] = (0, 2, 4, 8)
    group: int = 0
    lowest: int = 0
    bits: float = 2.0
    train_bits: tuple[float, ...] = (1.0, 2.0)
    mask_keep: float = 0.5
    temperature: float = 1.0
    levels: tuple[str, ...] = field(default=LEVELS)
    extractor: str = "mean"
    extractor_bits: int = 32
    profile_dim: int = 64
    user_input: bool = False
    reads: tuple[int, ...] = READS
    horizon: int = 12
    gains: bool = False
    gains_of: str = "channel"
    law: str = "gaussian"
    signs: str = "drawn"
    start: str = "scratch"
    distil_weight: float = 0.0
    contrast_weight: float = 0.0
    sees: str = "user"
    list_weight: float = 0.0
    fuse: bool = False
    told: str = "nothing"
    aged: int = 0
    swaps: str = "user"
    decode: str = "cloud"
    plans_of: str = "chord-plus"
    delivery: str = "session"
    activation_bits: int = 32

    @property
    def by_number(self) -> bool:
        """Whether phones hold all plans, and a session brings the number of one."""
        return self.planner == "codebook"

    @property
    def reads_users(self) -> bool:
        """Whether phones read their users: for a profile, or for the backbone's inputs."""
        return self.delivery == "session" or self.user_input or self.told == "vector"

    @property
    def turns(self) -> bool:
        """Whether the shared mask turns signs too."""
        return self.signs == "learnt"

    @property
    def gain_columns(self) -> int:
        """Learnt scales of a channel: none, one, or one for each code."""
        return (4 if self.gains_of == "code" else 1) if self.gains else 0

    @property
    def reads_lists(self) -> bool:
        """Whether training, the cloud or the phone's own order reads what the cloud lists."""
        return self.sees == "candidates" or self.list_weight > 0 or self.told == "vector" or self.fuse

    @property
    def joins_lists(self) -> bool:
        """Whether the cloud joins lists to users."""
        return self.sees == "candidates" or self.told == "vector"

    @property
    def trains_on_lists(self) -> bool:
        """Whether training reads lists."""
        return self.joins_lists or self.list_weight > 0

    @property
    def selection_bits(self) -> float:
        """Budget at which validation chooses the checkpoint: the largest of training, whatever plans are served at."""
        return max(self.train_bits)

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Any]) -> PlanSettings:
        """Check a method's settings.

        Args:
            name: The method's name, for messages.
            settings: Its resolved table.

        Raises:
            ScenarioError: A value that makes no plan, with the key and what would be right.
        """
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in settings.items()}
        stray = set(values) - {f.name for f in fields(cls)}
        for key, value in values.items():
            if key in stray:
                raise ScenarioError(f"settings.{name}.{key}: no such setting")
            rule, right = _RULES[key]
            try:
                good = rule(value)
            except TypeError:
                good = False
            if not good:
                raise ScenarioError(f"settings.{name}.{key}: must be {right}, not {reprlib.repr(settings[key])}")
        made = cls(**values)
        if made.gains_of == "code" and not made.gains:
            raise ScenarioError(f'settings.{name}.gains_of = "code" asks for settings.{name}.gains = true')
        if made.turns and made.mask_keep >= 1:
            raise ScenarioError(
                f'settings.{name}.signs = "learnt" are those of weights that a mask keeps: set settings.{name}.mask_keep below 1'
            )
        if made.reads != READS and made.extractor != "mean":
            raise ScenarioError(f'settings.{name}.reads is of settings.{name}.extractor = "mean" alone, and it is "{made.extractor}"')
        if made.sees == "candidates" and made.planner == "shared":
            raise ScenarioError(f'settings.{name}.sees = "candidates" makes plans of each session: not with planner = "shared"')
        if made.told == "vector" and made.delivery != "bootstrap":
            raise ScenarioError(f'settings.{name}.told = "vector" comes in a plan\'s place: set settings.{name}.delivery = "bootstrap"')
        if made.aged and made.told == "nothing":
            raise ScenarioError(f'settings.{name}.aged asks for settings.{name}.told = "vector"')
        if made.swaps == "list" and made.sees == "user":
            raise ScenarioError(f'settings.{name}.swaps = "list" asks for settings.{name}.sees = "candidates"')
        if made.delivery == "bootstrap" and made.decode == "device":
            raise ScenarioError(f'settings.{name}.delivery = "bootstrap" sends no codes to decode: leave decode at "cloud"')
        if made.by_number and made.decode == "device":
            raise ScenarioError(f'settings.{name}.planner = "codebook" needs decode = "cloud", where numbers cross')
        if made.delivery == "bootstrap" and made.planner != "shared":
            raise ScenarioError(
                f'settings.{name}.delivery = "bootstrap" brings the plan that all share, and planner = "{made.planner}" makes users their '
                f'own: set settings.{name}.planner = "shared", or delivery = "session"'
            )
        return made


def plan_budget(shapes: Shapes, settings: PlanSettings) -> PlanBudget:
    """Return the cost arithmetic of plans, with what the method adds to every model."""
    from chordsim.nets import user_input
    from chordsim.quant.budget import PlanBudget

    s, dim = settings, shapes.backbone.dim
    reader = _reader(s, dim)[0]
    joined = user_input.stored_bytes(dim, s.profile_dim, s.extractor_bits) if s.user_input else 0
    if s.told == "vector":
        # The matrix and the numbers of the session.
        joined += user_input.stored_bytes(dim, shapes.plan_bytes, s.extractor_bits) + shapes.plan_bytes
    held = held_bytes(s.reads, shapes.backbone.max_len, shapes.n_items) if s.reads_users else 0
    # A bit for each weight that may be left out, and one for each whose sign may be turned.
    mask = -(-shapes.weights // 8) * ((s.mask_keep < 1) + s.turns)
    source = 4 * shapes.weights if shapes.backbone.init == "trained" else 0
    book = 16 * s.plans * shapes.channels if s.by_number else 0
    gains = 4 * shapes.channels * settings.gain_columns
    asks = _reader(s, dim)[1] + dim * s.profile_dim if s.user_input else 0
    return PlanBudget(shapes, s.widths, reader + held + joined + book + mask + gains + source, s.activation_bits, asks)


def session_macs(shapes: Shapes, settings: PlanSettings) -> int:
    """Return multiply-accumulates before a session's first request: making the plan's weights, and reading the user if no request does."""
    from chordsim.nets import footprint

    return footprint.adapt_macs(shapes) + (0 if settings.user_input else _reader(settings, shapes.backbone.dim)[1])


def told_macs(shapes: Shapes, settings: PlanSettings) -> int:
    """Return multiply-accumulates before a session's first request of a phone that is told a vector: reading the user, and the matrix."""
    return _reader(settings, shapes.backbone.dim)[1] + shapes.backbone.dim * shapes.plan_bytes


def _reader(s: PlanSettings, dim: int) -> tuple[int, int]:
    """Return the bytes of the extractor on a phone, and its multiply-accumulates; none where nobody reads the user there."""
    from chordsim.nets import extractor

    if not s.reads_users:
        return 0, 0
    stored = extractor.stored_bytes(s.extractor, dim, s.profile_dim, s.extractor_bits, s.reads)
    return stored, extractor.size(s.extractor, dim, s.profile_dim, s.reads)[1]
