"""The worlds of phones: every fitted number with its source and its mark. Printed by benchmarks/fit_phones.py and fit_mlperf.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chordsim.population.profile import Mark


@dataclass(frozen=True)
class Mixture:
    """A mixture of log-normals.

    Attributes:
        weights: Share of each part; sum to 1.
        medians: Median of each part, in the unit of the quantity.
        spreads: Standard deviation of the logarithm in each part.
    """

    weights: tuple[float, ...]
    medians: tuple[float, ...]
    spreads: tuple[float, ...]

    def scaled(self, factor: float) -> Mixture:
        """Return the same shape with every value times ``factor``."""
        return Mixture(self.weights, tuple(m * factor for m in self.medians), self.spreads)


@dataclass(frozen=True)
class Steps:
    """A distribution over a few sizes, ascending, with the share of each."""

    sizes: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Era:
    """The phones of one time.

    Attributes:
        name: As `population.era` names it.
        macs_per_sample: Multiply-accumulates of the measured network.
        latency_ms: Milliseconds of one sample of that network; divided into its operations it gives speed.
        ram_gb: Memory.
        down_mbps: Rate from the cloud.
        up_of_down: Median rate to the cloud over median rate from it; the shape is the same.
        round_trip_ms: Round trips.
        nj_per_mac: Nanojoules per multiply-accumulate.
        radio_w: Watts of the radio.
    """

    name: str
    macs_per_sample: float
    latency_ms: Mixture
    ram_gb: Steps
    down_mbps: Mixture
    up_of_down: float
    round_trip_ms: Mixture
    nj_per_mac: Mixture
    radio_w: Mixture


@dataclass(frozen=True)
class Constant:
    """One constant for the reader: where it comes from and how sure it is."""

    name: str
    mark: Mark
    source: str


#: Multiply-accumulates of the network behind FedScale's latencies: a MobileNet-size image network.
MACS_PER_SAMPLE = 0.3e9
#: Those of MobileBERT with 384 tokens, the network behind MLPerf Mobile's: counted from its layers (benchmarks/fit_mlperf.py).
MACS_PER_MOBILEBERT = 8.682e9
#: Rank correlation of RAM and speed is 0.86 (AI Benchmark); this is the normal latent's correlation.
RAM_SPEED_LATENT = 0.869
#: Rank correlation of down and up is -0.19 (4G) to 0.33 (5G low band), 0.24 over all tests; latent.
DOWN_UP_LATENT = 0.25

_LATENCY = Mixture((0.3467, 0.3022, 0.3511), (23.3067, 39.8176, 160.403), (0.1594, 0.4818, 0.1425))
_DOWN = Mixture((0.2172, 0.4691, 0.3138), (1.8059, 5.6001, 23.7253), (0.3131, 0.5115, 0.7773))
_RAM = Steps(
    (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0),
    (0.0300, 0.0120, 0.1201, 0.0210, 0.0541, 0.0390, 0.2883, 0.2342, 0.1712, 0.0030, 0.0271),
)

ERAS: Mapping[str, Era] = {
    "2010s": Era(
        "2010s",
        MACS_PER_SAMPLE,
        _LATENCY,
        _RAM,
        _DOWN,
        0.27,
        Mixture((1.0,), (89.0,), (0.291,)),
        Mixture((1.0,), (0.6,), (0.59,)),
        Mixture((1.0,), (1.0,), (0.2,)),
    ),
    "2025": Era(
        "2025",
        MACS_PER_SAMPLE,
        _LATENCY.scaled(1 / 2),
        Steps((2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0), (0.02, 0.05, 0.19, 0.18, 0.29, 0.18, 0.09)),
        _DOWN.scaled(10.0),
        0.27,
        Mixture((1.0,), (58.0,), (0.327,)),
        Mixture((1.0,), (0.3,), (0.59,)),
        Mixture((1.0,), (1.2,), (0.2,)),
    ),
    "mlperf-mobile": Era(
        "mlperf-mobile",
        MACS_PER_MOBILEBERT,
        # One chip in eight ran it on its processor; one chip has no spread, so it is given the accelerators'.
        Mixture((0.875, 0.125), (3.769, 353.5), (0.617, 0.617)),
        Steps((6.0, 8.0, 12.0, 16.0), (0.125, 0.375, 0.125, 0.375)),
        _DOWN.scaled(10.0),
        0.27,
        Mixture((1.0,), (58.0,), (0.327,)),
        Mixture((1.0,), (0.002,), (0.59,)),
        Mixture((1.0,), (1.2,), (0.2,)),
    ),
}

CONSTANTS: tuple[Constant, ...] = (
    Constant("speed, shape in 2010s and 2025", "fitted", "FedScale client_device_capacity, 500,000 phones: three log-normals, two humps"),
    Constant("speed, scale", "assumed", "0.3 GMAC per measured sample, the size of a MobileNet; 2010s and 2025"),
    Constant("speed, 2025 over 2010s", "assumed", "twice as fast"),
    Constant(
        "speed, mlperf-mobile",
        "fitted",
        "MLPerf Mobile v3.1 to v5.0 (mlcommons/mobile_results_*, Apache License 2.0), MobileBERT, one vote for each of 8 chips: "
        "two log-normals, accelerators of 8 bits and a processor",
    ),
    Constant("speed, mlperf-mobile, spread of the slow part", "assumed", "one chip ran on its processor; as the accelerators'"),
    Constant("operations of a sample, mlperf-mobile", "measured", "8.68 GMAC, counted from MobileBERT's layers for 384 tokens"),
    Constant("RAM, mlperf-mobile", "measured", "the same 8 chips: the phone that was sent in, without swap"),
    Constant("links of mlperf-mobile", "fitted", "as in 2025"),
    Constant("RAM, 2010s", "measured", "AI Benchmark list of 2020, 333 models, one vote each"),
    Constant("RAM, 2025", "fitted", "shares chosen for the mean that 5 GB (2020) and 7.4 GB (2024) extrapolate to, Counterpoint Research"),
    Constant("RAM with speed", "measured", "Spearman 0.86, AI Benchmark list; Gaussian copula"),
    Constant("down link, 2010s", "fitted", "FedScale (MobiPerf), 500,000 phones: mixture of three log-normals"),
    Constant("down link, 2025 over 2010s", "measured", "10: world median 61.5 Mbit/s in 2024 (Ookla) against 6.1"),
    Constant("up over down", "measured", "0.27, medians of 4G tests in the US, 2020 to 2021; shape assumed as down"),
    Constant("down with up", "measured", "Spearman about 0.24 over 4G and 5G tests"),
    Constant("round trip, 2010s", "fitted", "4G tests: median 89 ms"),
    Constant("round trip, 2025", "fitted", "5G low-band tests: median 58 ms"),
    Constant("joules per operation, spread", "measured", "freqbench, 38 chips: 7x from 5 to 95 %, 10x from 2.5 to 97.5 %"),
    Constant("joules per operation, scale", "assumed", "0.6 nJ per MAC in the 2010s, 0.3 in 2025"),
    Constant("joules per operation, scale, mlperf-mobile", "assumed", "0.002 nJ: the watts of 2025 at the median speed"),
    Constant("radio watts", "assumed", "1.0 W and 1.2 W, log spread 0.2"),
    Constant("radio tail", "assumed", "2 s after the last byte of a round"),
)
