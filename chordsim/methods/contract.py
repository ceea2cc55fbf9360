"""What a method is: a light spec plus a cloud half and a device half.

The round loop, the wire and the ledger know methods through this file and `chordsim.methods.exchange` only; `chordsim.methods.discovery`
finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Codes, Columns, Floats, Ints, State
from chordsim.data.history import History
from chordsim.data.retriever import ListForm
from chordsim.methods.exchange import Batch, Blob, Budgets, CloudTurn, Cost, Leg, PhoneBatch, Turn
from chordsim.ragged import Ragged

if TYPE_CHECKING:
    from chordsim.config.model import BackboneConfig, TrainingConfig
    from chordsim.data.split import TrainLogs
    from chordsim.progress import Progress


@dataclass(frozen=True)
class Needs:
    """What a method takes on each phone in closed form, before anything is trained, shape [D] each.

    Attributes:
        cost: Operations and memory of one request; an upper end where they depend on the user.
        refusal: Code into `BINDINGS`, 0 where the phone is not refused.
        side: Who refuses: ``cloud`` before any byte, or ``device`` after the download.
        binding: Code into `BINDINGS`: which budget limits what is prescribed.
        bits: Stored bits per weight; NaN where no model runs.
        least_macs: The lower end of ``cost.macs``.
    """

    cost: Cost
    refusal: Codes
    side: Literal["cloud", "device"]
    binding: Codes
    bits: Floats
    least_macs: Ints


@dataclass(frozen=True)
class MethodContext:
    """Everything that a half may know about the run, the same on both sides.

    Attributes:
        name: The method's name in the scenario.
        settings: The scenario's ``[settings.NAME]`` table over the method's defaults.
        backbone: The recommender that phones own.
        training: How the cloud trains.
        n_items: Size of the catalogue; item ids run from 1 to ``n_items``.
        seed: The scenario's seed.
        ranked: Items that one request scores; 0 for all.
        kernel: What runs the inner loops (`chordsim.kernels.choose`).
        share_equal: Whether neighbours of one user and plan are computed once; the results are the same.
        device: Where forward passes and ranks are computed.
        lists: What the cloud lists; None where it ranks all items or sampled ones.
        repeats: Whether items that a user had before are ranked like any other (`protocol.mask_seen = false`).
    """

    name: str
    settings: Mapping[str, Any]
    backbone: BackboneConfig
    training: TrainingConfig
    n_items: int
    seed: int
    ranked: int = 0
    kernel: str = "torch"
    share_equal: bool = False
    device: str = "cpu"
    lists: ListForm | None = None
    repeats: bool = False


@dataclass(frozen=True)
class Given:
    """What a run recorded of the phones that a method served, shape [D] each: enough to tell whether other budgets would change it.

    Attributes:
        peak_memory_bytes: What the model took, and
        macs: its operations per request.
        bits: Stored bits per weight; NaN where no model ran.
        binding: Which budget limited what was prescribed, as a word of `BINDINGS`.
    """

    peak_memory_bytes: Ints
    macs: Ints
    bits: Floats
    binding: npt.NDArray[np.str_]


@dataclass(frozen=True)
class PlanForm:
    """How a prescription reads as a plan: one 2-bit code for each channel, or for each group of its weights.

    Attributes:
        widths: Bits of codes 0 to 3.
        group: Weights that share a code; 0 for a whole channel.
    """

    widths: tuple[int, ...]
    group: int = 0


class CloudHalf(Protocol):
    """The half that runs on the server. Built as ``Half(context)``; holds no state between calls."""

    def __init__(self, context: MethodContext) -> None: ...

    def recipe(self) -> dict[str, Any]:
        """Return all settings that the trained state depends on (JSON). Equal recipes of the same code share one training."""
        ...

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train on the cloud's logs and return a flat dict of tensors."""
        ...

    def bootstrap(self, state: State) -> list[Blob]:
        """Return what a device must own before its first round."""
        ...

    def admit(self, state: State, budgets: Budgets) -> Codes:
        """Return a refusal code [D] per phone by the budgets it registered, before any byte is sent."""
        ...

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Answer one chunk of devices on a down leg; ``inbox`` holds each device's last up payload."""
        ...

    def learn(self, state: State, reports: Sequence[tuple[Batch, Ragged]]) -> State:
        """Take in the round's updates, in chunk order, and return the new state."""
        ...

    def basis(self, state: State) -> Floats:
        """Return the numbers that updates made from a state start at, [N]; asked only where `MethodSpec.buffers`."""
        ...

    def rebased(self, updates: Ragged, then: Floats, now: Floats, weight: float) -> Ragged:
        """Return older updates as if made from the state in force: they started at ``then`` [N], it is at ``now``, and they count less."""
        ...


class DeviceHalf(Protocol):
    """The half that runs on the phones. Built as ``Half(context)``."""

    def __init__(self, context: MethodContext) -> None: ...

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Any:
        """Decode the bootstrap (label to bytes) into whatever `act` needs; called once per worker."""
        ...

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Take one leg's turn for a padded chunk of phones."""
        ...


def apart(half: CloudHalf | DeviceHalf) -> bool:
    """Whether a half says, by an attribute ``apart``, that a phone's results hang on nobody else in its chunk, bit for bit.

    Several chunks may then take a turn together. A half without the attribute is given each chunk by itself.
    """
    return bool(getattr(half, "apart", False))


Allowed = tuple[float, float] | tuple[str, ...]


@dataclass(frozen=True)
class MethodSpec:
    """A method as the round loop sees it. Read wherever a scenario is: what brings torch is imported inside its functions.

    Attributes:
        name: Name in the scenario and the ledger.
        summary: One line for a person.
        exchange: Its legs, in order; the last is a report.
        cloud: ``"package.module:Class"`` of the cloud half, loaded on the server only.
        device: The same of the device half, loaded on clients only.
        defaults: Settings and their default values; a scenario may set these keys and no others.
        needs_autograd: True for training on the phone; otherwise the device path runs under inference mode.
        learns: True if the cloud takes in updates after each round.
        buffers: True if it can also take in updates that were made from an older state, which `rounds.mode = "buffered"` needs.
        reach: Items that its device half is given however short the backbone's window is; 0 for the window.
        extra_history: Items that its device half is given beyond those, older ones on the left.
        settings_of: A method whose settings, where it stands in the same scenario, or in its file and was taken out by an override,
            are the defaults of this one's: for controls that must share its training. Empty for none.
        backbones: Kinds of backbone that it can work with; empty for any.
        ranks: What its device half gives back: ``scores`` of all items; an ordered ``list``, which has no rank among
            sampled negatives; or an order of the ``candidates`` that the protocol's retriever lists, and of nothing else.
        renews: Labels of the bootstrap parts that learning changes; None for all of them, empty where no update can change any.
        cached: What it needs of a phone whose catalogue stays in the cloud: ``rows`` of the items that it reads and ranks, or
            ``nothing``; ``no`` where it cannot play there.
        not_cached: Why it cannot, as the rest of a sentence that begins with its name.
        by_budgets: Whether what a phone is given depends on the budgets that it grants, refusals aside; None where that is not known.
        by_others: Whether what a phone is given depends on which other phones take part in the round.
        reads_lists: Whether its cloud half is told what the protocol lists for each user (`Batch.listed`), where the protocol lists.
        needs_lists: Whether it cannot do without, so that it plays under `protocol.ranking = "candidates"` alone.
        allowed: By setting, the lowest and highest number that it (or each entry of a list) may be, or the words to choose from;
            a setting that is not named here may have any value of its default's type.
    """

    name: str
    summary: str
    exchange: tuple[Leg, ...]
    cloud: str
    device: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs_autograd: bool = False
    learns: bool = False
    buffers: bool = False
    reach: int = 0
    extra_history: int = 0
    settings_of: str = ""
    backbones: tuple[str, ...] = ()
    ranks: Literal["scores", "list", "candidates"] = "scores"
    renews: tuple[str, ...] | None = None
    cached: Literal["no", "rows", "nothing"] = "no"
    not_cached: str = "needs the whole catalogue on the phone"
    by_budgets: bool | None = None
    by_others: bool = False
    reads_lists: bool = False
    needs_lists: bool = False
    allowed: Mapping[str, Allowed] = field(default_factory=dict)

    @property
    def renewing(self) -> bool:
        """Whether what phones send may make another model."""
        return self.learns and self.renews != ()

    def history_length(self, window: int) -> int:
        """Return how many items of its user's history a phone is given, with a backbone of this window."""
        return max(window, self.reach) + self.extra_history

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the payload bytes of every leg but the report, [D] each, in closed form.

        A test equates them with what is really encoded.
        """
        return {}

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that only together make no sense; each alone is held against `allowed` before.

        Raises:
            ScenarioError: Naming ``settings.NAME.KEY`` and what would be right.
        """

    def check_on(self, settings: Mapping[str, Any], backbone: BackboneConfig) -> None:
        """Refuse settings that do not go with the scenario's backbone, by a `ScenarioError` as `check` does, which comes first."""

    def ends(self, context: MethodContext) -> tuple[MethodSpec, MethodSpec]:
        """Return two methods between whose sizes and needs this one's lie, where they depend on the user; itself twice else.

        The first is where users take least, the second where they take most; each is consistent in itself.
        """
        return self, self

    def bootstrap_ends(self, context: MethodContext) -> Mapping[str, tuple[int, int]]:
        """Return by label the least and the most bytes of each bootstrap part whose size hangs on what training makes."""
        return {}

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the method as the settings that a scenario gives it choose it, before defaults fill the others; itself where none does."""
        return self

    def where_cached(self) -> MethodSpec:
        """Return the method as it plays where the catalogue stays in the cloud."""
        return self

    def plan_form(self, context: MethodContext) -> PlanForm | None:
        """Return how this method's prescriptions read as plans, for plans.parquet; None where they are none."""
        return None

    def unchanged(self, context: MethodContext, then: Given, now: Budgets, before: Budgets) -> Bools | None:
        """Return which phones would get and show the same under other budgets, [D]; None where that is not known.

        Args:
            context: The method's settings.
            then: What was recorded.
            now: Budgets that phones would grant, and
            before: those that they granted.
        """
        return None if self.by_budgets is None else np.full(then.macs.size, not self.by_budgets)

    def remarks(self, context: MethodContext) -> tuple[str, ...]:
        """Return what a reader of the results must know about these settings: one line each, shown with the table."""
        return ()

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs | None:
        """Return what the method takes on phones with these budgets, in closed form; None where no closed form is known."""
        return None
