"""Fit the phone generator to the measurements and print what `chordsim/population/eras.py` holds.

Usage: python -m benchmarks.fit_phones            (reads CHORDSIM_DATA/devices, else ../shared/data/devices)

Only the printed parameters ship, never the files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize, stats

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from chordsim.arrays import Floats
from chordsim.errors import UserError

#: Quantiles that the generator must hit within 5 %; they weigh more than the others.
KEY_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
KEY_WEIGHT = 6.0


def folder() -> Path:
    root = os.environ.get("CHORDSIM_DATA")
    return (Path(root) if root else Path(__file__).resolve().parents[2] / "shared" / "data") / "devices"


def mixture(values: Floats, shares: Floats, parts: int, starts: int = 24) -> tuple[Floats, Floats, Floats, Floats]:
    """Fit a mixture of log-normals to quantiles; return weights, medians, log spreads and log errors at KEY_QUANTILES."""
    logs = np.log(values)
    grid = np.linspace(logs[0] - 0.6, logs[-1] + 0.6, 3000)
    weight = np.where(np.isclose(shares[:, None], KEY_QUANTILES).any(1), KEY_WEIGHT, 1.0)

    def errors(theta: Floats) -> Floats:
        w = np.exp(theta[:parts] - theta[:parts].max())
        cdf = sum(
            a * stats.norm.cdf((grid - m) / np.exp(s))
            for a, m, s in zip(w / w.sum(), theta[parts : 2 * parts], theta[2 * parts :], strict=True)
        )
        return np.asarray(np.interp(shares, cdf + np.arange(grid.size) * 1e-12, grid) - logs)

    draw = np.random.default_rng(0)
    least, best = np.inf, np.zeros(3 * parts)
    for _ in range(starts):
        start = np.r_[np.zeros(parts), np.quantile(logs, draw.uniform(0.05, 0.95, parts)), np.log(draw.uniform(0.05, 0.5, parts))]
        found = optimize.least_squares(lambda t: errors(t) * weight, start, max_nfev=300)
        if found.cost < least:
            least, best = found.cost, found.x
    w = np.exp(best[:parts] - best[:parts].max())
    order = np.argsort(best[parts : 2 * parts])
    left = errors(best)[weight > 1]
    return (w / w.sum())[order], np.exp(best[parts : 2 * parts])[order], np.exp(best[2 * parts :])[order], left


def show(name: str, fitted: tuple[Floats, ...]) -> None:
    w, m, s, left = fitted
    print(f"{name}: weights {w.round(4).tolist()} medians {m.round(4).tolist()} spreads {s.round(4).tolist()}")
    print(f"    error at 5, 25, 50, 75, 95 %: {(np.expm1(left) * 100).round(1).tolist()} %")


def hours_per_device(table: pd.DataFrame) -> tuple[float, float]:
    """Return scale (share of the time) and shape of the Weibull of a phone's free share."""
    cdf = np.r_[0, table.share_of_devices.cumsum() / table.share_of_devices.sum()]
    edge = np.r_[0, table.available_hours_of_96 + 0.5]
    u = np.linspace(0.01, 0.99, 99)
    want = np.interp(u, cdf, edge) / 96

    def errors(theta: Floats) -> Floats:
        return np.asarray(np.log(np.minimum(1, np.exp(theta[0]) * (-np.log1p(-u)) ** np.exp(theta[1]))) - np.log(want))

    found = optimize.least_squares(errors, [-1.5, 0])
    return float(np.exp(found.x[0])), float(np.exp(-found.x[1]))


def day_curve(table: pd.DataFrame, days: tuple[int, ...], orders: int) -> list[complex]:
    """Return relative harmonics of the share of free phones over the given days, without the trend from day to day."""
    hour, share = table.hour.to_numpy(), table.share_of_trace.to_numpy()
    level = share / np.exp(np.polyval(np.polyfit(hour, np.log(share), 1), hour))
    inside = [(hour >= 24 * d) & (hour < 24 * d + 24) for d in days]
    out = []
    for k in range(1, orders + 1):
        parts = [2 * (level[i] / level[i].mean() * np.exp(-2j * np.pi * k * hour[i] / 24)).mean() for i in inside]
        out.append(complex(np.mean(parts)))
    return out


def centre_harmonics(curve: list[complex], scale: float, shape: float) -> list[complex]:
    """Return harmonics of the density of session middles: a session of random length blurs them, this undoes it."""
    u = (np.arange(20000) + 0.5) / 20000
    length = 24 * np.minimum(1, scale * (-np.log1p(-u)) ** (1 / shape))
    out = []
    for k, value in enumerate(curve, 1):
        blur = np.mean(24 / (np.pi * k) * np.sin(np.pi * k * length / 24)) / length.mean()
        out.append(value / blur)
    return out


def main() -> None:
    """Fit and print."""
    parser_of(__doc__, __file__).parse_args()
    data = folder()
    if not data.is_dir():
        raise UserError(f"{data}: no such folder; CHORDSIM_DATA names the folder that holds devices/")
    latency = pd.read_csv(data / "compute_latency_quantiles.csv")
    show("latency_ms, 2010s", mixture(latency.latency_ms_per_sample.to_numpy(), latency["quantile"].to_numpy(), 3))
    network = pd.read_csv(data / "network_throughput_quantiles.csv")
    show("down_mbps, 2010s", mixture(network.throughput_kbps.to_numpy() / 1000, network["quantile"].to_numpy(), 3))
    phones = pd.read_csv(data / "phones_ai_benchmark.csv").dropna(subset=["ram_gb", "cpu_fp32_score"])
    rank = stats.spearmanr(phones.ram_gb, phones.cpu_fp32_score).statistic
    print(f"RAM and speed: Spearman {rank:.3f}, latent Pearson {2 * np.sin(np.pi * rank / 6):.3f}")
    shares = phones.ram_gb.value_counts(normalize=True).sort_index()
    print(f"RAM sizes, 2010s: {shares.index.tolist()} shares {shares.round(4).tolist()} mean {phones.ram_gb.mean():.2f} GB")
    growth = (7.4 / 5.0) ** (1 / 4)
    print(f"RAM sold: 5 GB (2020) and 7.4 GB (2024) grow {growth - 1:.1%} a year: {7.4 * growth:.2f} GB in 2025 (held out: 8.4)")
    power = pd.read_csv(data / "soc_cpu_power.csv")
    joules = np.log(1 / power.iter_per_mj[power.iter_per_mj > 0])
    width = np.subtract(*np.quantile(joules, [0.95, 0.05]))
    wide = np.exp(width * 3.92 / 3.29)
    print(f"joules per operation: 5 to 95 % is {np.exp(width):.1f}x, log spread {width / 3.29:.3f}, 2.5 to 97.5 % is {wide:.1f}x")
    cell = pd.read_csv(data / "cellular_speed_quantiles.csv").set_index(["radio_type", "metric", "quantile"]).value
    for radio in ("4G-LTE", "5G-NSA-Low-Band"):
        ms = [cell[radio, "latency_ms", q] for q in (0.05, 0.5, 0.95)]
        ratio = cell[radio, "uplink_mbps", 0.5] / cell[radio, "downlink_mbps", 0.5]
        print(f"{radio}: round trip median {ms[1]:.0f} ms, log spread {np.log(ms[2] / ms[0]) / 3.29:.3f}; up over down {ratio:.2f}")
    scale, shape = hours_per_device(pd.read_csv(data / "availability_hours_per_device.csv"))
    print(f"free share of a phone: Weibull scale {scale:.4f}, shape {shape:.4f}")
    curve = day_curve(pd.read_csv(data / "availability_timeline.csv"), (0, 1, 2), 4)
    print("day curve, days 1 to 3 (day 4 held out):", [complex(np.round(c, 4)) for c in curve])
    print("session middles:", [complex(np.round(c, 4)) for c in centre_harmonics(curve, scale, shape)])


if __name__ == "__main__":
    sys.exit(ended(main))
