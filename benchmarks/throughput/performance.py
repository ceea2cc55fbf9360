"""Writes docs/performance.md from the CSV files of a run of the suite."""

from __future__ import annotations

from pathlib import Path

from benchmarks.markdown import table
from benchmarks.throughput import against
from benchmarks.throughput import markdown as md
from benchmarks.throughput.pieces import PIECES, SGEMM
from benchmarks.throughput.results import Figure, Results
from benchmarks.throughput.table import peak_share

RATE = "device_rounds_per_s"
_ENGINES = {
    "in-process": "chordsim in process, 2 threads",
    "ray": "chordsim on Ray, 2 workers",
    "flower-cells": "Flower's engine carrying the same 2 cells",
    "in-process-few": "chordsim in process, as many phones as Flower's clients, in whole chunks",
    "flower-cells-few": "Flower's engine carrying the same few phones in cells",
    "flower-phones": "Flower's engine, one phone per client",
    "pfl": "pfl-research, 2 processes, phones one by one",
}
_SERIES = {
    "selection": ("phones of a round", "of a million that there are; a selection of a million is all of them"),
    "population": ("phones there are", "the same number of them plays in each round"),
    "workers": ("Ray workers", "on the processors named above"),
    "catalogue": ("items to rank", "fewer phones play where there are more items"),
    "width": ("width of the backbone", "embedding and feed-forward alike"),
    "chunk": ("phones of a chunk", ""),
}
_TEXT = Path(__file__).parent / "text"


def _text(name: str) -> str:
    return (_TEXT / f"{name}.md").read_text()


def page(results: Results) -> str:
    """Return the page."""
    parts = [
        _text("performance_head").format(folder=results.folder),
        _targets(results),
        _machines(results),
        _engines(results),
        _parts(results),
        _whole(results),
        _limits(results),
    ]
    parts.append(_against(results))
    parts += [_series(results, piece) for piece in _SERIES if results.cases(piece)]
    return "\n\n".join(part.strip() for part in (*parts, _training(results), _commands(results)) if part) + "\n"


def _targets(results: Results) -> str:
    """Return what issue 6 asks for beside what was reached."""

    def over(top: str, under: str) -> str:
        return md.times(results.ratio("engines", (top, RATE), (under, RATE)))

    million, best = results.figure("million", "million", "after_training_s"), results.figure("best", "fp32", "to_best_s")
    memory = results.figure("million", "million", "peak_rss_bytes")
    rows = [
        (
            "whole rounds, device-rounds per second on 2 processors",
            "10,000, aim 20,000",
            md.figure(results.figure("whole", "in-process", RATE)),
        ),
        ("against Flower, one phone per client: the same few phones", "40 times", over("in-process-few", "flower-phones")),
        ("the same, chordsim with a whole cohort", "", over("in-process", "flower-phones")),
        ("against Flower carrying the same cells: the same few phones", "3 times", over("in-process-few", "flower-cells-few")),
        ("the same, a whole cohort on both", "", over("in-process", "flower-cells")),
        ("against pfl, chordsim with a whole cohort", "5 times, aim 10", over("in-process", "pfl")),
        ("the forward pass, share of the sgemm peak", "20 %, aim 40 %", md.percent(peak_share(results, "parts", "forward")) or md.NONE),
        ("plans per second on 2 processors", "20,000", md.figure(results.figure("parts", "plans", "devices_per_s"))),
        (
            "two Ray nodes of one processor against one of two",
            "0.85 to 1.15",
            md.times(results.ratio("nodes", ("two-of-1", RATE), ("one-of-2", RATE))),
        ),
        ("a million device-rounds, start to report without training", "180 s", md.figure(million, " s")),
        ("its peak memory", "3,072 MiB", f"{md.mebibytes(memory)} MiB" if memory else md.NONE),
        ("`fp32` on ml-1m to its best validation", "720 s", md.figure(best, " s")),
    ]
    return "## Asked and reached\n\n" + table(("what", "asked", "reached"), rows)


def _against(results: Results) -> str:
    rows = against.table(results)
    if not rows:
        return ""
    ran = [run for name, run in results.runs.items() if name.startswith("against-")]
    told = "; ".join(dict.fromkeys(f"{run['when']}, load {run['load_before']} before" for run in ran))
    text = _text("performance_against").format(told=told)
    return f"## Against the build before\n\n{text}\n\n" + table(("what", "figure", "before", "now", "times"), rows)


def _machines(results: Results) -> str:
    keys = ("when", "commit", "processor", "processors", "memory_gib", "load_before", "python", "flwr", "ray", "torch", "numpy", "seconds")
    rows = [(name, *(str(run.get(key, "")) for key in keys)) for name, run in _in_order(results)]
    return "## Where and with what\n\n" + table(("piece", *(key.replace("_", " ") for key in keys)), rows)


def _in_order(results: Results) -> list[tuple[str, dict[str, object]]]:
    return [(name, results.runs[name]) for name in PIECES if name in results.runs]


def _engines(results: Results) -> str:
    if not results.cases("engines"):
        return ""
    sums = {case: results.figure("engines", case, "rank_sum") for case in _ENGINES}
    agreed = sums["in-process"]
    rows = []
    for case, words in _ENGINES.items():
        rate, about = results.figure("engines", case, RATE), results.about("engines", case)
        skipped = results.runs["engines"].get("skipped", {}).get(case)
        same = "yes" if agreed and sums[case] and sums[case] == agreed else _apart(sums[case], agreed)
        share, memory = peak_share(results, "engines", case), results.figure("engines", case, "peak_rss_bytes")
        against = md.times(results.ratio("engines", (case, RATE), ("flower-phones", RATE)))
        phones = f"{about['phones']:,}" if about else ""
        rows.append(
            (words, phones, f"skipped: {skipped}" if skipped else md.figure(rate), against, md.mebibytes(memory), md.percent(share), same)
        )
    head = (
        "engine",
        "phones of a round",
        "device-rounds/s",
        "times one phone per client",
        "peak MiB",
        "share of sgemm peak",
        "ranks agree",
    )
    peak = md.figure(results.figure("engines", SGEMM, "sgemm_gflop_per_s"), " GFLOP/s")
    flop = results.about("engines", "in-process").get("flop_per_phone", 0)
    text = _text("performance_phone").format(items="3,416")
    reached = f"The sgemm peak of this run, two threads side by side: {peak}. One phone needs {flop / 1e6:.2f} MFLOP, scores included."
    return f"{text}\n{reached}\n\n" + table(head, rows)


def _apart(found: Figure | None, agreed: Figure | None) -> str:
    return "" if found is None or agreed is None else f"sums differ by {abs(found.median / agreed.median - 1):.1e}"


def _parts(results: Results) -> str:
    if not results.cases("parts"):
        return ""
    about, peak = results.about("parts", "forward"), (SGEMM, "sgemm_gflop_per_s")
    executed = results.ratio("parts", ("forward", "executed_gflop_per_s"), peak)
    rows = [
        (
            "forward pass, weights built beforehand",
            md.figure(results.figure("parts", "forward", "devices_per_s")),
            md.figure(results.figure("parts", "forward", "asked_gflop_per_s")),
            md.percent(peak_share(results, "parts", "forward")),
        ),
        ("plans: profiles in, codes out", md.figure(results.figure("parts", "plans", "devices_per_s")), "", ""),
    ]
    text = _text("performance_parts").format(
        asked=about.get("flop_asked", 0) / 1e6,
        executed=about.get("flop_executed", 0) / 1e6,
        share=md.percent(executed),
        peak=md.figure(results.figure("parts", SGEMM, "sgemm_gflop_per_s"), " GFLOP/s"),
    )
    return f"## The parts alone\n\n{text}\n\n" + table(("part, two threads", "phones/s", "GFLOP/s needed", "share of sgemm peak"), rows)


def _whole(results: Results) -> str:
    if not results.cases("whole"):
        return ""
    names = {
        "in-process": "in process, 2 threads",
        "in-process-1": "in process, 1 thread",
        "one-of-2": "one Ray node of two",
        "two-of-1": "two Ray nodes of one",
    }
    rows = []
    for piece, case in (("whole", "in-process"), ("whole", "in-process-1"), ("nodes", "one-of-2"), ("nodes", "two-of-1")):
        found = results.figure(piece, case, RATE)
        share, memory = peak_share(results, piece, case) if piece == "whole" else None, results.figure(piece, case, "peak_rss_bytes")
        cost = md.figure(results.figure(piece, case, "processor_us_per_device_round"))
        rows.append((names[case], md.figure(found), cost, md.mebibytes(memory), md.percent(share)))
    head = ("what", "device-rounds/s", "µs of the main process", "peak MiB", "share of sgemm peak")
    text = (
        "As `chordsim run` plays them: profile, plan, rank, metrics, ledger, checkpoint; not the first round, in which workers load data."
    )
    return f"## Whole rounds\n\n{text}\n\n" + table(head, rows)


def _limits(results: Results) -> str:
    """Return where the processors' time of a device-round goes: what must shrink for more of them per second."""
    found = [
        results.figure("whole", "in-process", RATE),
        results.figure("engines", "in-process", RATE),
        results.figure("parts", "forward", "devices_per_s"),
        results.figure("parts", "plans", "devices_per_s"),
        results.figure("whole", "in-process-1", RATE),
    ]
    if None in found:
        return ""
    whole, phone, forward, plans, alone = (2e6 / figure.median for figure in found if figure)
    rows = [
        ("the forward pass", forward),
        ("the phone besides: decode, build weights, score, rank, costs, report", phone - forward),
        ("the plan", plans),
        ("all else: books, metrics, ledger, threads that wait for one another", whole - phone - plans),
        ("a device-round", whole),
    ]
    text = _text("performance_limits").format(room=200, alone=alone / 2, saved=1 - alone / 2 / whole)
    return f"## What limits it\n\n{text}\n\n" + table(
        ("part, two processors", "µs of both", "share"), [(what, f"{took:,.0f}", f"{took / whole:.0%}") for what, took in rows]
    )


def _series(results: Results, piece: str) -> str:
    what, remark = _SERIES[piece]
    rows = []
    for case in results.cases(piece):
        rate, memory = results.figure(piece, case, RATE), results.figure(piece, case, "peak_rss_bytes")
        rows.append((f"{int(case):,}", md.figure(rate), md.mebibytes(memory)))
    text = f"Whole rounds{', ' + remark if remark else ''}."
    return f"## {PIECES[piece].title}\n\n{text}\n\n" + table((what, "device-rounds/s", "peak MiB"), rows)


def _training(results: Results) -> str:
    rows = []
    for piece, what in (
        ("training", "per step, the first steps, one validation at the end"),
        ("best", "ml-1m, to the best validation, validation included"),
    ):
        for case in results.cases(piece):
            step, best = results.figure(piece, case, "ms_per_step"), results.figure(piece, case, "to_best_s")
            score = results.figure(piece, case, "best_ndcg_10")
            rows.append((f"`{case}`, {what}", md.figure(step), md.figure(best) if best else "", f"{score.median:.4f}" if score else ""))
    head = ("method", "ms per step", "seconds to the best", "its NDCG@10")
    return f"## Cloud training\n\n{_text('performance_training')}\n" + table(head, rows) if rows else ""


def _commands(results: Results) -> str:
    told = list(dict.fromkeys(str(run["command"]) for _, run in _in_order(results)))
    lines = [f"- {case} of {name}: {why}" for name, run in _in_order(results) for case, why in run["failed"].items()]  # type: ignore[attr-defined]
    failed = "\n\nFailed:\n\n" + "\n".join(lines) if lines else ""
    again = "\n".join(f"    {line}" for line in told)
    return f"## Commands\n\n{again}\n\nWhat is on disk is not measured again." + failed
