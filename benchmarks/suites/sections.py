"""Parts of pages that suites have in common: verdicts, accuracy, costs, paired differences, missing cells, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.markdown import table
from benchmarks.suites.figures import Book
from benchmarks.suites.sheets import MISSING, Line
from benchmarks.suites.sheets import spread as deviation
from benchmarks.suites.verdicts import NOT_MEASURED, Claim


def verdicts(book: Book, claims: Iterable[Claim]) -> str:
    """Return every claim with its target, what was measured, and the verdict."""
    rows = []
    for claim in claims:
        made = claim.judge(book)
        measured = made.measured
        if made.verdict == NOT_MEASURED and made.commands:
            measured += ": " + ", ".join(f"`{command}`" for command in made.commands)
        rows.append((claim.text, claim.target, measured, f"**{made.verdict}**"))
    return table(("claim", "target", "measured", "verdict"), rows)


def accuracy(book: Book, group: str, lines: Mapping[str, Line | None]) -> str:
    """Return a group's means with intervals and spreads, by label."""
    head = (
        *("method", "seeds", "users", "HR@5", "NDCG@5", "HR@10", "NDCG@10 (95 %)", "interval over", "spread over seeds", "MRR"),
        *("last item: HR@10", "NDCG@10"),
    )
    rows = []
    for label, line in lines.items():
        if line is None:
            rows.append((f"`{label}`", *[MISSING] * (len(head) - 1)))
            continue
        cells = [number(line[name]) for name in ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "hr_10_last", "ndcg_10_last")]
        if line["ndcg_10_low"]:
            cells[3] += f" ({number(line['ndcg_10_low'])} to {number(line['ndcg_10_high'])})"
        by_seed = [book.line(f"{group}/{label}", seed) for seed in line["seeds"].split()]
        cells[4:4] = [line["interval_over"] or "-", spread(float(one["ndcg_10"]) for one in by_seed if one)]
        rows.append((f"`{label}`", line["seeds"], line["users"], *cells))
    return "### Accuracy\n\n" + table(head, rows)


def costs(lines: Mapping[str, Line | None]) -> str:
    """Return accuracy beside what it costs: stored bits, bytes on the phone, and bytes after sessions; fewest bits first."""
    head = ("method", "stored bits", "model KiB", "peak memory KiB", "plan B", "KiB after 1", "after 10", "after 100 sessions", "NDCG@10")
    measured = [(label, line) for label, line in lines.items() if line]
    rows = [
        (
            f"`{label}`",
            number(line["bits_mean"], 2),
            *(kib(line[name]) for name in ("model_bytes", "peak_memory_bytes")),
            number(line["prescription_bytes"], 0),
            *(kib(line[f"bytes_after_{count}"]) for count in (1, 10, 100)),
            number(line["ndcg_10"]),
        )
        for label, line in sorted(measured, key=lambda one: float(one[1]["bits_mean"] or "inf"))
    ]
    return "### Accuracy against stored bits and cumulative bytes\n\n" + table(head, rows)


def differences(book: Book, group: str, title: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return the comparisons of a family, missing ones included; names without the group that most are of."""
    head = (
        *("own", "other", "seeds", "users", "own NDCG@10", "other", "difference (95 %)", "interval over", "relative", "Holm p"),
        *("sign by seed", "spread over seeds"),
    )
    rows = []
    for own, other in pairs:
        line = book.difference(own, other)
        names = tuple(f"`{key.replace(f'{group}/', '')}`" for key in (own, other))
        if line is None:
            rows.append((*names, *[MISSING] * (len(head) - 2)))
            continue
        ends = f" ({float(line['low']):+.4f} to {float(line['high']):+.4f})" if line["low"] else ""
        relative = f"{float(line['relative']):+.1%}" if line["relative"] else "-"
        rows.append(
            (
                *names,
                line["seeds"],
                line["users"],
                number(line["own_mean"]),
                number(line["other_mean"]),
                f"{float(line['difference']):+.4f}{ends}",
                line["interval_over"] or "-",
                relative,
                f"{float(line['p_holm']):.3g}" if line["p_holm"] else "-",
                f"{line['signs']} ({line['by_seed']})",
                spread(float(one.partition(":")[2]) for one in line["by_seed"].split()),
            )
        )
    return f"### Paired differences{title}, one family of {len(rows)}\n\n" + table(head, rows)


def missing(book: Book) -> str:
    """Return what fills the missing cells."""
    lacking: dict[str, list[str]] = {}
    for cell in book.cells:
        if cell["state"] == MISSING:
            lacking.setdefault(cell["command"], []).append(f"`{cell['label']}` ({cell['seed']})")
    if not lacking:
        return "## Missing cells\n\nNone."
    rows = [(f"`{command}`", ", ".join(cells)) for command, cells in lacking.items()]
    measured = sum(cell["state"] != MISSING for cell in book.cells)
    return f"## Missing cells\n\n{measured} of {len(book.cells)} cells are measured. What fills the others, by method (seed):\n\n" + table(
        ("command", "fills"), rows
    )


def spread(values: Iterable[float]) -> str:
    """Return the standard deviation of what seeds gave."""
    found = deviation(values)
    return "-" if found is None else f"{found:.4f}"


def number(text: str, digits: int = 4) -> str:
    """Return a number of a table, a dash for none."""
    return f"{float(text):,.{digits}f}" if text else "-"


def kib(text: str) -> str:
    """Return bytes of a table in KiB, a dash for none."""
    return f"{float(text) / 1024:,.1f}" if text else "-"
