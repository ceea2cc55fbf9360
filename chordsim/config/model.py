"""The scenario as a typed object: one pydantic model per table of the TOML file."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

# Re-exported: the rest of chordsim takes every table from here.
from chordsim.config.phones import AvailabilityConfig as AvailabilityConfig
from chordsim.config.phones import ClockConfig as ClockConfig
from chordsim.config.phones import PopulationConfig as PopulationConfig
from chordsim.config.phones import TierConfig as TierConfig
from chordsim.config.phones import default_tiers as default_tiers
from chordsim.config.phones import era_tiers as era_tiers
from chordsim.config.retriever import RetrieverConfig as RetrieverConfig
from chordsim.config.retriever import named_of_retriever
from chordsim.config.strict import Name as Name
from chordsim.config.strict import Table as Table

SCHEMA_VERSION = 1
#: The method that others are compared with where nothing else is said.
BASELINE = "fp32"
#: Items that the cloud lists for a user at most.
LONGEST_LIST = 1000
#: And at least, where a scenario gives a number.
SHORTEST_LIST = 10


class SyntheticConfig(Table):
    """The seeded generator of `data.source = "synthetic"`."""

    users: int = Field(400, ge=1, le=10_000_000)
    items: int = Field(300, ge=2, le=10_000_000)
    groups: int = Field(8, ge=1, le=10_000)
    mean_length: float = Field(30.0, ge=4, le=10_000)
    drift: float = Field(0.1, ge=0, le=1)
    popularity_skew: float = Field(1.0, ge=0, le=5)
    noise: float = Field(0.2, ge=0, le=1)


def _column(given: Any) -> Any:
    if given is not None and not (isinstance(given, str) and given) and not (type(given) is int and given >= 0):
        raise ValueError('must be the name of a column, its position counted from 0, or "none"')
    return given


Column = Annotated[str | int | None, BeforeValidator(_column)]


class ColumnsConfig(Table):
    """Which column of a file is what, where its own names or their absence do not say it: a name, a position from 0, or "none"."""

    user: Column = None
    item: Column = None
    rating: Column = None
    timestamp: Column = None


class DataConfig(Table):
    """Whose interactions are played."""

    source: str = "ml-100k"  # a catalogue name, "synthetic" or "file"
    path: str | None = None
    format: Literal["auto", "u.data", "inter", "csv", "ratings.dat", "blanks", "pairs", "seq", "jsonl", "parquet"] = "auto"
    columns: ColumnsConfig = ColumnsConfig()
    header: Literal["auto", "yes", "no"] = "auto"  # whether the first line names the columns
    time_unit: Literal["auto", "s", "ms", "us", "by-size"] = "auto"  # auto: one unit, two are an error; by-size: each by its size
    ties: Literal["file", "seeded"] = "file"  # order of one user's equal time stamps: the file's, or drawn by the seed
    duplicates: Literal["keep", "drop"] = "keep"  # interactions that are equal in every column that is read
    min_rating: float | None = None
    min_user: int = Field(5, ge=1)
    min_item: int = Field(1, ge=1)
    k_core: bool = True
    max_users: int | None = Field(None, ge=1)
    split: Literal["last", "global-time"] = "last"  # global-time: no training on anybody's future; needs time stamps
    train_share: float = Field(0.8, gt=0, lt=1)  # global-time: share of all interactions that come before the cut
    cloud_share: float = Field(1.0, gt=0, le=1)
    synthetic: SyntheticConfig = SyntheticConfig()

    @model_validator(mode="after")
    def _path_goes_with_file(self) -> DataConfig:
        if (self.source == "file") != (self.path is not None):
            raise ValueError('data.path goes with data.source = "file", and only with it')
        return self

    @model_validator(mode="after")
    def _file_keys_go_with_file(self) -> DataConfig:
        for key in ("columns", "header", "time_unit"):
            if self.source != "file" and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f'data.{key} goes with data.source = "file", and only with it')
        return self

    @model_validator(mode="after")
    def _train_share_goes_with_global_time(self) -> DataConfig:
        if self.split != "global-time" and self.train_share != type(self).model_fields["train_share"].default:
            raise ValueError('data.train_share goes with data.split = "global-time", and only with it')
        return self


#: Keys of `[backbone]` that one kind alone reads; other kinds have theirs in `[backbone.settings]`.
OWN_SETTINGS = {"sasrec": ("ffn_dim", "blocks", "heads"), "caser": ("window", "vertical", "horizontal")}


#: Named sizes of SASRec: a small one, and two whose weights outweigh the rows that a phone keeps more than ten times.
BACKBONE_SIZES = {
    "small": {"dim": 64, "ffn_dim": 64, "blocks": 2, "heads": 2},
    "medium": {"dim": 128, "ffn_dim": 512, "blocks": 4, "heads": 4},
    "wide": {"dim": 256, "ffn_dim": 1024, "blocks": 4, "heads": 4},
}


class BackboneConfig(Table):
    """The recommender that every phone owns."""

    kind: Name = "sasrec"  # sasrec, caser, gru4rec, or one that another package registers
    size: Literal["", "small", "medium", "wide"] = ""  # dim, ffn_dim, blocks and heads by one name, in place of all four
    dim: int = Field(64, ge=4, le=1024, multiple_of=4)
    ffn_dim: int = Field(64, ge=4, le=4096, multiple_of=4)
    blocks: int = Field(2, ge=1, le=16)
    heads: int = Field(2, ge=1, le=16)
    max_len: int = Field(50, ge=2, le=1000)
    embedding_bits: Literal[32, 16, 8, 4, 2, "by-frequency"] = 32  # of item rows; by-frequency: 8, 4 or 2 by how often an item occurs
    items: Literal["owned", "cached"] = "owned"  # cached: the catalogue stays in the cloud, phones keep rows of items they have met
    cache_rows: int = Field(512, ge=1, le=1_000_000)  # cached: item rows that a phone keeps; the least recently used make room
    init: Literal["random", "trained"] = "random"
    window: int = Field(5, ge=1, le=50)  # caser: how many of the last items it reads; heights of filters go up to it
    vertical: int = Field(4, ge=1, le=256)  # caser: filters down each column
    horizontal: int = Field(16, ge=1, le=1024)  # caser: filters of each height
    settings: dict[str, Any] = Field(default_factory=dict)  # of other kinds, by their own names

    @model_validator(mode="before")
    @classmethod
    def _size_stands_for_four_keys(cls, given: Any) -> Any:
        named = BACKBONE_SIZES.get(given["size"], {}) if isinstance(given, dict) and isinstance(given.get("size"), str) else {}
        return {**named, **given} if named else given

    @model_validator(mode="after")
    def _nothing_contradicts_the_size(self) -> BackboneConfig:
        for name, value in BACKBONE_SIZES.get(self.size, {}).items():
            if self.kind != "sasrec":
                raise ValueError(f'backbone.size is for backbone.kind = "sasrec": with "{self.kind}" leave it out')
            if getattr(self, name) != value:
                raise ValueError(
                    f'backbone.{name} = {getattr(self, name)}: backbone.size = "{self.size}" has {value}: leave one of them out'
                )
        return self

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> BackboneConfig:
        if self.dim % self.heads:
            raise ValueError("backbone.heads must divide backbone.dim")
        return self

    @model_validator(mode="after")
    def _window_fits_history(self) -> BackboneConfig:
        if self.kind == "caser" and self.window > self.max_len:
            raise ValueError("backbone.window must not be larger than backbone.max_len")
        return self

    @model_validator(mode="after")
    def _others_settings_are_left_alone(self) -> BackboneConfig:
        for kind, names in OWN_SETTINGS.items():
            for name in names if kind != self.kind else ():
                default = type(self).model_fields[name].default
                if getattr(self, name) != default:
                    raise ValueError(f'backbone.{name} is for backbone.kind = "{kind}": with "{self.kind}" leave it out or at {default}')
        return self


class TrainingConfig(Table):
    """How the cloud trains; everything here is part of the cache key."""

    max_steps: int = Field(3000, ge=0, le=10_000_000)
    batch: int = Field(0, ge=0, le=65_536)  # windows per step; 0: as many as bring `positions` targets
    positions: int = Field(1536, ge=0, le=10_000_000)  # targets per step that the loss uses at most; 0: all
    latest_of: int = Field(1, ge=1, le=1000)  # a window ends at the latest of so many places drawn from a history; 1: anywhere
    lr: float = Field(2e-3, gt=0, lt=10)
    plan_lr: float = Field(5e-3, gt=0, lt=10)
    warm_share: float = Field(0.1, gt=0, le=1)  # share of these rates for parameters that a method takes over trained
    start_std: float | None = Field(None, gt=0, le=10)  # of weights that are trained from nothing; left out: by fan-in
    softmax: Literal["auto", "float32", "bfloat16"] = "auto"  # products with the item table; auto: bfloat16 where it is faster
    dropout: float = Field(0.2, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0, lt=10)
    eval_every: int = Field(250, ge=1)
    patience: int = Field(4, ge=1)  # validations without improvement that end training, or cut the rates where `cuts` are left
    average_steps: int = Field(0, ge=0, le=1_000_000)  # validate and keep the moving average over about so many steps; 0: the last step
    cuts: int = Field(0, ge=0, le=20)  # how often rates are cut to a quarter, each time from the best state, before training ends
    rounding_from: int = Field(0, ge=0, le=10_000_000)  # steps before training sees rows of 4 and 2 bits as phones have them
    eval_users: int = Field(2000, ge=1)
    threads: int = Field(1, ge=1, le=256)  # of one training; other counts give other last bits
    kernel: Literal["auto", "torch", "native"] = "auto"  # what trains plans; auto: compiled (native) where it can be had


class RoundsConfig(Table):
    """How many rounds, and how much the phone is asked for in each."""

    count: int = Field(3, ge=1, le=100_000)
    requests_per_round: int = Field(10, ge=1, le=1_000_000)
    new_model_every: int = Field(0, ge=0, le=100_000)  # after so many rounds every phone needs the bootstrap anew; 0: never
    mode: Literal["synchronous", "buffered"] = "synchronous"  # buffered: a round is a version, of the first updates that come
    buffer: int = Field(10, ge=1, le=1_000_000)  # buffered: updates that make a version
    staleness: float = Field(0.5, ge=0, le=100)  # buffered: s versions behind, an update counts (1 + s) to the power of minus this

    @model_validator(mode="after")
    def _buffer_goes_with_mode(self) -> RoundsConfig:
        for key in ("buffer", "staleness"):
            if self.mode == "synchronous" and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f'rounds.{key} goes with rounds.mode = "buffered", and only with it')
        return self


Cut = Annotated[int, Field(ge=1, le=LONGEST_LIST)]


class ProtocolConfig(Table):
    """How what a phone ranked is scored. Seen items are masked, ties take the middle rank."""

    metrics: Literal["all", "none"] = "all"  # none: rounds in sizes, without a recommender
    ranking: Literal["all", "candidates", "sampled-100"] = "all"  # candidates: what the cloud lists for the user, sent each session
    candidates: int = Field(100, ge=0, le=LONGEST_LIST)  # length of those lists; 0: 100, or all items of a catalogue that has fewer
    retriever: Literal["counts", "model"] = "counts"  # who lists: counts of neighbours, or a model of its own, with another seed
    mask_seen: bool = True  # what a user had before is not ranked, so that a target among it is a miss; false ranks all items
    admission: Literal["before", "after"] = "before"  # whether a shipped model's size is held against the phone before the download
    baseline: Name = BASELINE  # the method that the others are compared with; the first one where the default is not played
    cuts: tuple[Cut, ...] = Field((5, 10), min_length=1, max_length=16, strict=False)  # of metrics that count the first k; ascending
    metrics_of: tuple[Name, ...] = Field((), max_length=64, strict=False)  # more metrics for the summary, by name; see docs/add-a-metric.md
    keep_lists: int = Field(0, ge=0, le=LONGEST_LIST)  # the ledger keeps so many items of what each phone ranked first; 0: none

    @model_validator(mode="after")
    def _lists_are_long_enough(self) -> ProtocolConfig:
        if 0 < self.candidates < SHORTEST_LIST:
            raise ValueError(f"protocol.candidates = {self.candidates}: at least {SHORTEST_LIST}, or 0 for as many as a catalogue allows")
        return self

    @property
    def list_length(self) -> int:
        """How many items the cloud lists at most."""
        return self.candidates or type(self).model_fields["candidates"].default

    @model_validator(mode="after")
    def _a_retriever_lists_candidates(self) -> ProtocolConfig:
        if self.retriever != "counts" and self.ranking != "candidates":
            raise ValueError(f'protocol.retriever = "{self.retriever}" goes with protocol.ranking = "candidates", and only with it')
        return self

    @model_validator(mode="after")
    def _cuts_ascend(self) -> ProtocolConfig:
        if any(one >= other for one, other in pairwise(self.cuts)):
            raise ValueError(f"protocol.cuts = {list(self.cuts)}: must ascend")
        return self

    @model_validator(mode="after")
    def _what_is_not_ranked_is_not_kept(self) -> ProtocolConfig:
        for key in ("metrics_of", "keep_lists") if self.metrics == "none" else ():
            if getattr(self, key):
                raise ValueError(f'protocol.{key}: with protocol.metrics = "none" nothing is ranked: leave one of them out')
        return self


class EngineConfig(Table):
    """How the work is cut and carried; no setting here may change a ledger, except `chunk_size`, `kernel` and `device` in last bits."""

    kind: Literal["inprocess", "ray"] = "inprocess"
    workers: int = Field(0, ge=0, le=10_000)  # 0: one per core
    chunk_size: int = Field(256, ge=1, le=65_536)
    cells: int = Field(0, ge=0, le=1_000_000)  # 0: as many as the workers can use, fewer of few phones; textbook: one per chunk
    timeout_s: float = Field(600.0, gt=0, le=1e6)
    share_equal: bool = False  # compute once what phones of one user and plan have in common, and book it for each
    kernel: Literal["auto", "torch", "native"] = "auto"  # what runs the inner loops; auto: compiled (native) where it can be had
    device: Literal["cpu", "cuda"] = "cpu"  # where forward passes and ranks of rounds are computed, in process; training stays on the CPU


class Scenario(Table):
    """A whole scenario, resolved: every key has a value."""

    question: str = Field("", max_length=400)
    name: Name = "scenario"
    seed: int = Field(1, ge=0, le=2**63 - 1)
    methods: tuple[Name, ...] = Field(("fp32", "chord-plus"), min_length=1, max_length=256, strict=False)
    data: DataConfig = DataConfig()
    backbone: BackboneConfig = BackboneConfig()
    training: TrainingConfig = TrainingConfig()
    population: PopulationConfig = Field(default_factory=PopulationConfig)
    rounds: RoundsConfig = RoundsConfig()
    clock: ClockConfig = ClockConfig()
    protocol: ProtocolConfig = ProtocolConfig()
    retriever: RetrieverConfig | None = None  # of protocol.retriever = "model": a backbone of its own; without, it has the phones'
    engine: EngineConfig = EngineConfig()
    settings: dict[Name, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _cached_items_are_re_ranked(self) -> Scenario:
        backbone, protocol = self.backbone, self.protocol
        if backbone.items == "owned":
            return self
        if protocol.ranking != "candidates":
            raise ValueError('backbone.items = "cached": such phones rank what the cloud lists: set protocol.ranking = "candidates"')
        least = backbone.max_len + protocol.list_length
        if backbone.cache_rows < least:
            what = f"a history window of {backbone.max_len} items and a list of {protocol.list_length}"
            raise ValueError(f"backbone.cache_rows = {backbone.cache_rows}: {what} need at least {least}")
        return self

    @property
    def lister(self) -> tuple[BackboneConfig, TrainingConfig]:
        """Backbone and training of a model that lists: those of methods, with what `[retriever]` says over them."""
        own = self.retriever or RetrieverConfig()
        backbone = BackboneConfig.model_validate({**self.backbone.model_dump(), "size": "", **own.shape}) if own.shape else self.backbone
        return backbone, self.training.model_copy(update={"positions": own.positions}) if own.positions else self.training

    @model_validator(mode="after")
    def _a_retriever_of_its_own_is_a_model(self) -> Scenario:
        if self.retriever is not None and self.protocol.retriever != "model":
            raise ValueError(f'retriever: this table goes with protocol.retriever = "model", and that is "{self.protocol.retriever}"')
        try:
            self.lister  # noqa: B018
        except ValidationError as error:
            raise ValueError(named_of_retriever(error)) from None
        return self

    @model_validator(mode="after")
    def _buffered_rounds_close_at_their_updates(self) -> Scenario:
        if self.rounds.mode == "synchronous":
            return self
        for key in ("quorum", "quantile", "over_select"):
            if getattr(self.clock, key) != type(self.clock).model_fields[key].default:
                raise ValueError(f'clock.{key} closes synchronous rounds: with rounds.mode = "buffered" leave it out')
        if self.protocol.metrics == "none":
            raise ValueError('rounds.mode = "buffered": what phones send decides who comes next: leave protocol.metrics out, or at "all"')
        return self

    @model_validator(mode="after")
    def _methods_are_distinct(self) -> Scenario:
        if len(set(self.methods)) != len(self.methods):
            raise ValueError("methods: a name stands twice")
        stray = set(self.settings) - set(self.methods)
        if stray:
            raise ValueError(f"settings.{min(stray)}: no such method in this scenario's methods")
        return self

    @model_validator(mode="after")
    def _baseline_is_played(self) -> Scenario:
        # A resolved scenario holds the default too, so the default alone may name a method that is not there.
        if self.protocol.baseline not in (*self.methods, BASELINE):
            raise ValueError(f"protocol.baseline: {self.protocol.baseline} is not played: name one of {', '.join(self.methods)}")
        return self
