"""Writes docs/scale.md: what larger clusters and fleets would do, on paper, from what was measured on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.throughput import markdown as md
from benchmarks.throughput.results import Results

#: Processors of one node of the cluster on paper: those of the machine that was measured.
NODES = (1, 10, 100)
_GIGABIT_BYTES = 125e6
_FLEET = 1_000_000_000
_ALL, _MAIN = "processor_us_per_device_round", "main_thread_us_per_device_round"
_NEEDED = (
    ("whole", "in-process-1", _ALL),
    ("whole", "in-process-1", _MAIN),
    ("workers", "1", _ALL),
    ("workers", "1", _MAIN),
    ("workers", "1", "carried_bytes_per_device_round"),
    ("workers", "1", "ledger_bytes_per_row"),
)


@dataclass(frozen=True)
class Costs:
    """What one device-round of `chord-plus` costs, from medians.

    Attributes:
        worker_us: Processor time on workers.
        plan_us: Processor time of its plan, on the driver's threads.
        serial_us: The rest of the driver's: one thread.
        carried_bytes: Through the driver's link, both ways, simulator's columns included.
        ledger_bytes: One row on disk.
        processors: Of a node.
    """

    worker_us: float
    plan_us: float
    serial_us: float
    carried_bytes: float
    ledger_bytes: float
    processors: int

    def rate(self, nodes: int, *, plan_on_workers: bool = False) -> float:
        """Return device-rounds per second: workers, plans and the rest of the driver take turns within a round."""
        spread = self.worker_us + (self.plan_us if plan_on_workers else 0.0)
        here = 0.0 if plan_on_workers else self.plan_us / self.processors
        return 1e6 / (spread / (nodes * self.processors) + here + self.serial_us)

    def limits(self) -> dict[str, float]:
        """Return what each part alone allows however many workers there are, device-rounds per second."""
        return {
            "making plans on the driver": 1e6 * self.processors / self.plan_us,
            "the driver's one thread (book, close, ledger, messages)": 1e6 / self.serial_us,
            "the driver's link, at 1 Gbit/s": _GIGABIT_BYTES / self.carried_bytes,
            "the driver's link, at 10 Gbit/s": 10 * _GIGABIT_BYTES / self.carried_bytes,
        }


def costs(results: Results) -> Costs | None:
    """Return the costs that a run of the suite measured, or None where a piece is missing."""
    found = [results.figure(*key) for key in _NEEDED]
    if any(figure is None for figure in found):
        return None
    whole, closing, driver, serial, carried, ledger = (figure.median for figure in found if figure)
    plan = driver - serial
    return Costs(whole - closing - plan, plan, serial, carried, ledger, int(str(results.runs["workers"]["processors"])))


_TEXT = Path(__file__).parent / "text"


def page(results: Results) -> str:
    """Return the page, or why it cannot be written yet."""
    c = costs(results)
    if c is None:
        missing = ", ".join(sorted({piece for piece, case, metric in _NEEDED if results.figure(piece, case, metric) is None}))
        return f"# Beyond one machine\n\nNot written yet: {results.folder} has no figures of {missing}.\n"
    if min(c.worker_us, c.plan_us, c.serial_us) <= 0:
        told = f"the figures in {results.folder} contradict one another ({c}); measure on a quiet machine"
        return f"# Beyond one machine\n\nNot written: {told}.\n"
    limits = sorted(c.limits().items(), key=lambda item: item[1])
    cost_rows = [
        ("worker", f"{c.worker_us:,.0f} µs", "in process on one thread: all threads but the main one, less the plan"),
        (
            "plan, on the driver's threads",
            f"{c.plan_us:,.0f} µs",
            "the driver on Ray, one worker: all threads but the main one, Ray's own among them",
        ),
        ("the driver besides", f"{c.serial_us:,.0f} µs", "the driver on Ray, one worker: its main thread"),
        ("bytes through the driver", f"{c.carried_bytes:,.0f}", "messages and simulator columns, both ways"),
        ("bytes of ledger", f"{c.ledger_bytes:,.0f}", "Parquet on disk"),
    ]
    node_rows = [
        (
            f"{n}",
            f"{c.rate(n):,.0f}",
            f"{c.rate(n) / c.rate(1):.1f}",
            f"{c.rate(n) * c.carried_bytes / 1e6:,.0f}",
            f"{c.rate(n, plan_on_workers=True):,.0f}",
        )
        for n in NODES
    ]
    rate = c.rate(100)
    return (
        (_TEXT / "scale.md")
        .read_text()
        .format(
            folder=results.folder,
            processors=c.processors,
            first=limits[0][0],
            carried=c.carried_bytes,
            ledger=c.ledger_bytes,
            cells=100 * c.processors,
            costs=table(("of one device-round", "cost", "from"), cost_rows),
            nodes=table(("nodes", "device-rounds/s", "times one node", "MB/s through the driver", "with plans on workers"), node_rows),
            limits=table(("part", "device-rounds/s at most"), [(name, f"{most:,.0f}") for name, most in limits]),
            store="about 1 MiB for `chord-plus` on ml-1m",
            call=1e6 * c.carried_bytes / (100 * c.processors) / 2**20,
            daily=f"{rate * 86_400 * c.ledger_bytes / 1e9:,.0f} GB",
            fleet=_fleet(results, c),
        )
    )


def _fleet(results: Results, c: Costs) -> str:
    """Return what a thousand million phones would need, from the slopes of the series."""
    rate, part = c.rate(100), _FLEET // 100
    state, selected = _slope(results, "population"), _slope(results, "selection")
    rows = [
        ("device state on the driver (columns over all phones, touched pages only)", _bytes(state, _FLEET)),
        (f"driver memory of a round of 1 % of them, {part:,} phones", _bytes(selected, part)),
        (f"seconds of such a round on 100 nodes, at {rate:,.0f} device-rounds/s", f"{part / rate:,.0f}"),
        ("ledger of such a round", f"{part * c.ledger_bytes / 1e9:,.1f} GB"),
        ("hours for every phone once, on 100 nodes", f"{_FLEET / rate / 3600:,.1f}"),
    ]
    return table(("need", "on paper"), rows)


def _slope(results: Results, piece: str) -> float | None:
    """Return bytes per phone between the two largest points of a series."""
    points = sorted((int(case), f.most) for case in results.cases(piece) if (f := results.figure(piece, case, "peak_rss_bytes")))
    if len(points) < 2:
        return None
    (fewer, low), (more, high) = points[-2:]
    return max(high - low, 0.0) / (more - fewer)


def _bytes(each: float | None, count: int) -> str:
    return md.NONE if each is None else f"{each:,.1f} bytes each, {each * count / 1e9:,.1f} GB"
