"""The tables about phones: which there are, what they grant, when they are free, and when a round closes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from chordsim.config.strict import Name, Table

#: What a tier says about hardware where tiers are all there is; an era or a CSV brings these itself.
HARDWARE = ("ram_gb", "gmacs_per_s", "down_mbps", "up_mbps", "round_trip_ms", "nj_per_mac", "radio_w")
#: A bit a second, a thousand operations a second, a thousand bytes: below that a phone's seconds soon are no finite number.
LEAST = 1e-6
MEMORY_KEYS = ("memory_of_fp32", "memory_mb", "memory_share")


class TierConfig(Table):
    """One named tier of phones: its share, its hardware (medians, where no era or CSV brings it) and its budgets."""

    share: float = Field(gt=0, le=1)
    ram_gb: float | None = Field(None, ge=LEAST, le=1024)
    gmacs_per_s: float | None = Field(None, ge=LEAST, le=1e6)
    down_mbps: float | None = Field(None, ge=LEAST, le=1e6)
    up_mbps: float | None = Field(None, ge=LEAST, le=1e6)
    round_trip_ms: float | None = Field(None, ge=0, le=1e6)
    nj_per_mac: float | None = Field(None, ge=0, le=1e6)
    radio_w: float | None = Field(None, ge=0, le=1e3)
    memory_of_fp32: float | None = Field(None, gt=0, le=1e6)
    memory_mb: float | None = Field(None, gt=0, le=1e9)
    memory_share: float | None = Field(None, gt=0, le=1)  # of the phone's RAM
    latency_ms: float = Field(100.0, gt=0, le=1e9)
    bits: float = Field(32.0, gt=0, le=32)
    joules_per_day: float | None = Field(None, gt=0, le=1e9)  # for requests; none: no limit


def default_tiers() -> dict[str, TierConfig]:
    """Return the three tiers of the ground floor; their constants are assumed, not measured."""
    return {
        "low": TierConfig(
            share=0.3,
            ram_gb=2,
            gmacs_per_s=0.6,
            down_mbps=4,
            up_mbps=1.5,
            round_trip_ms=90,
            nj_per_mac=1.2,
            radio_w=1.2,
            memory_of_fp32=0.9,
            latency_ms=40,
            bits=2,
        ),
        "mid": TierConfig(
            share=0.5,
            ram_gb=4,
            gmacs_per_s=2.5,
            down_mbps=15,
            up_mbps=5,
            round_trip_ms=60,
            nj_per_mac=0.6,
            radio_w=1.0,
            memory_of_fp32=1.3,
            latency_ms=40,
            bits=4,
        ),
        "high": TierConfig(
            share=0.2,
            ram_gb=8,
            gmacs_per_s=8.0,
            down_mbps=50,
            up_mbps=15,
            round_trip_ms=40,
            nj_per_mac=0.3,
            radio_w=0.9,
            memory_of_fp32=2.0,
            latency_ms=40,
            bits=8,
        ),
    }


def era_tiers() -> dict[str, TierConfig]:
    """Return the tiers of an era or a CSV: the slowest 30 %, the middle half and the fastest 20 % of its phones."""
    return {
        "low": TierConfig(share=0.3, memory_share=0.0005, latency_ms=40, bits=2),
        "mid": TierConfig(share=0.5, memory_share=0.0005, latency_ms=40, bits=4),
        "high": TierConfig(share=0.2, memory_share=0.0005, latency_ms=40, bits=8),
    }


class AvailabilityConfig(Table):
    """When a phone is free to take part; looked at once, when the round begins."""

    kind: Literal["always", "diurnal", "trace"] = "always"
    trace: str = ""  # CSV of device_id,start_s,end_s; it repeats after its last whole day
    time_zones: Literal["one", "world"] = "one"
    battery_floor: float = Field(0.0, ge=0, lt=1)  # below this share of a full battery a phone stays away; 0: never

    @model_validator(mode="after")
    def _trace_goes_with_kind(self) -> AvailabilityConfig:
        if (self.kind == "trace") != bool(self.trace):
            raise ValueError('population.availability.trace goes with kind = "trace", and only with it')
        return self


class PopulationConfig(Table):
    """Which phones there are. `devices = 0` means one phone per user. Phones come from an era, a CSV, or the tiers alone."""

    devices: int = Field(0, ge=0, le=10_000_000_000)
    selected: int = Field(0, ge=0, le=100_000_000)
    era: Literal["", "2010s", "2025", "mlperf-mobile"] = ""
    csv: str = ""  # own phones: ram_gb,gmacs_per_s,down_mbps,up_mbps,round_trip_ms,nj_per_mac,radio_w[,tier][,weight]
    latency: str = ""  # measured seconds of this model: shape,bits,ms[,load_ms][,adapt_ms][,overhead_ms][,gmacs_per_s][,tier]
    spread: float = Field(0.15, ge=0, le=2)
    activity_tier: float = Field(0.0, ge=-1, le=1)  # correlation of a user's activity with the phone's speed
    equal: tuple[Literal["ram", "compute", "link", "availability"], ...] = Field((), max_length=4, strict=False)
    availability: AvailabilityConfig = AvailabilityConfig()
    tiers: dict[Name, TierConfig] = Field(default_factory=default_tiers, max_length=64)

    @model_validator(mode="before")
    @classmethod
    def _own_default_tiers(cls, given: Any) -> Any:
        """An era or a CSV brings the hardware, so its default tiers hold budgets alone."""
        if isinstance(given, dict) and "tiers" not in given and (given.get("era") or given.get("csv")):
            return {**given, "tiers": era_tiers()}
        return given

    @property
    def source(self) -> Literal["tiers", "era", "csv"]:
        """Where the phones' hardware comes from."""
        return "csv" if self.csv else "era" if self.era else "tiers"

    @model_validator(mode="after")
    def _tiers_fit_the_source(self) -> PopulationConfig:
        if self.era and self.csv:
            raise ValueError("population: era and csv exclude one another; leave one out")
        if not self.tiers:
            raise ValueError("population.tiers is empty: name at least one tier")
        total = sum(t.share for t in self.tiers.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"population.tiers: shares sum to {total:g}, not 1")
        alone = self.source == "tiers"
        what = "missing; a tier without an era or a CSV needs it" if alone else f"comes from the {self.source}; leave it out"
        for name, tier in self.tiers.items():
            for key in HARDWARE:
                if (getattr(tier, key) is None) == alone:
                    raise ValueError(f"population.tiers.{name}.{key}: {what}")
            if sum(getattr(tier, key) is not None for key in MEMORY_KEYS) != 1:
                raise ValueError(f"population.tiers.{name}: a tier sets exactly one of {', '.join(MEMORY_KEYS)}")
        return self


class ClockConfig(Table):
    """What a link loses, and when a round closes: by deadline, at a quorum, or at a quantile; whichever comes first."""

    deadline_s: float = Field(0.0, ge=0, le=1e9)  # 0: no deadline
    quorum: float = Field(0.0, ge=0, le=1)  # closes when this share of `population.selected` has finished; 0: off
    quantile: float = Field(0.0, ge=0, le=1)  # closes when this share of those still in has finished; 0: off
    over_select: float = Field(1.0, ge=1, le=100)  # asks so many times `population.selected`
    loss: float = Field(0.0, ge=0, le=1)
    jitter: float = Field(0.1, ge=0, le=2)
    start_h: float = Field(0.0, ge=0, lt=24)  # hour of the day (UTC) at which round 1 begins
    round_every_h: float = Field(24.0, gt=0, le=8760)
    count_report: bool = False  # whether the report, which a product would not send, takes time and energy, and may fail a round
