"""The one table that the suite prints: a line per case, medians with least and most."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.throughput.pieces import SGEMM
from benchmarks.throughput.results import Figure, Results

#: What each piece is about, first found first shown.
RATES = ("device_rounds_per_s", "devices_per_s", "ms_per_step", "sgemm_gflop_per_s")
COLUMNS = ("case", "figure", "median", "least", "most", "n", "peak RSS", "share of sgemm peak")


def table(results: Results, pieces: Sequence[str]) -> str:
    """Return the table as text."""
    lines: list[tuple[str, ...]] = [COLUMNS]
    for piece in pieces:
        lines += [(f"{piece}/{case}", *row) for case, row in rows(results, piece)]
        lines += [(f"{piece}/{case}", f"skipped: {why}", *[""] * 6) for case, why in results.runs.get(piece, {}).get("skipped", {}).items()]
    widths = [max(len(line[n]) for line in lines if n != 1 or len(line[n]) < 40) for n in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n < 2 else cell.rjust(width) for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def rows(results: Results, piece: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return (case, cells) of a piece."""
    out: list[tuple[str, tuple[str, ...]]] = []
    for case in results.cases(piece):
        metric = next((name for name in RATES if results.values(piece, case, name)), None)
        if metric is None:
            continue
        figure = results.figure(piece, case, metric)
        assert figure is not None
        rss, share = results.figure(piece, case, "peak_rss_bytes"), peak_share(results, piece, case)
        memory = f"{rss.most / 2**20:,.0f} MiB" if rss else ""
        cells = (metric, number(figure.median), number(figure.least), number(figure.most), str(figure.count), memory)
        out.append((case, (*cells, f"{share.median:.1%}" if share else "")))
    return out


def peak_share(results: Results, piece: str, case: str) -> Figure | None:
    """Return which share of the sgemm peak of the same repetition a case reached, by the operations that its phones need."""
    peak = (SGEMM, "sgemm_gflop_per_s")
    if results.values(piece, case, "asked_gflop_per_s"):
        return results.ratio(piece, (case, "asked_gflop_per_s"), peak)
    asked = results.about(piece, case).get("flop_per_phone")
    return results.ratio(piece, (case, "device_rounds_per_s"), peak, asked / 1e9) if asked else None


def number(value: float) -> str:
    """Return a figure with three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
