"""Parts of pages that suites have in common: verdicts, accuracy, costs, paired differences, missing cells, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.markdown import table
from benchmarks.suites.figures import Book
from benchmarks.suites.sheets import MISSING, Line
from benchmarks.suites.sheets import spread as deviation
from benchmarks.suites.verdicts import Claim


def verdicts(book: Book, claims: Iterable[Claim]) -> str:
    """Return every claim with its target, what was measured, and the verdict; commands stand in ``missing`` alone."""
    made = ((claim, claim.judge(book)) for claim in claims)
    rows = [(claim.text, claim.target, found.measured, f"**{found.verdict}**") for claim, found in made]
    return table(("claim", "target", "measured", "verdict"), rows, words=4)


def accuracy(book: Book, group: str, lines: Mapping[str, Line | None]) -> str:
    """Return a group's means with intervals and spreads, by label, and which labels are missing."""
    head = (
        *("method", "seeds", "users", "HR@5", "NDCG@5", "HR@10", "NDCG@10 (95 %)", "interval over", "spread over seeds", "MRR"),
        *("last item: HR@10", "NDCG@10"),
    )
    rows, lacking = [], []
    for label, line in lines.items():
        if line is None:
            lacking.append(f"`{label}`")
            continue
        cells = [number(line[name]) for name in ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "hr_10_last", "ndcg_10_last")]
        if line["ndcg_10_low"]:
            cells[3] += f" ({number(line['ndcg_10_low'])} to {number(line['ndcg_10_high'])})"
        by_seed = [book.line(f"{group}/{label}", seed) for seed in line["seeds"].split()]
        cells[4:4] = [line["interval_over"] or "-", spread(float(one["ndcg_10"]) for one in by_seed if one)]
        rows.append((f"`{label}`", line["seeds"], line["users"], *cells))
    parts = ["### Accuracy", table(head, rows), *([f"Missing: {', '.join(lacking)}."] if lacking else [])]
    return "\n\n".join(parts)


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
    """Return the comparisons of a family, missing ones in one sentence below; names without the group that most are of."""
    head = (
        *("own", "other", "seeds", "users", "own NDCG@10", "other", "difference (95 %)", "interval over", "relative", "Holm p"),
        *("sign by seed", "spread over seeds"),
    )
    rows, lacking = [], []
    for own, other in pairs:
        line = book.difference(own, other)
        names = tuple(f"`{key.replace(f'{group}/', '')}`" for key in (own, other))
        if line is None:
            lacking.append(" against ".join(names))
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
    parts = [f"### Paired differences{title}, one family of {len(pairs)}"]
    if rows:
        parts.append(table(head, rows, words=2))
    if lacking:
        parts.append(f"Missing, and counted in Holm's correction: {'; '.join(lacking)}.")
    return "\n\n".join(parts)


def missing(book: Book) -> str:
    """Return how much is measured, and for each group what fills its missing cells, a command a line."""
    lacking: dict[str, dict[str, dict[str, list[str]]]] = {}
    for cell in book.cells:
        if cell["state"] == MISSING:
            labels = lacking.setdefault(cell["group"], {}).setdefault(cell["command"], {})
            labels.setdefault(cell["label"], []).append(cell["seed"])
    title = "## What is missing"
    if not lacking:
        return f"{title}\n\nNothing."
    measured = sum(cell["state"] != MISSING for cell in book.cells)
    about = f"{measured} of {len(book.cells)} cells are measured. A command a line fills the others; behind it, which, and of what seeds."
    blocks = []
    for group, commands in lacking.items():
        width = max(map(len, commands))
        lines = (f"{command:{width}}  # {_fills(labels)}" for command, labels in commands.items())
        blocks.append("\n".join([f"{group}:", "", "```sh", *lines, "```"]))
    return "\n\n".join([title, about, *blocks])


def _fills(labels: Mapping[str, Sequence[str]]) -> str:
    """Return labels with their seeds, those of the same seeds together."""
    by_seeds: dict[str, list[str]] = {}
    for label, seeds in labels.items():
        by_seeds.setdefault(" ".join(seeds), []).append(label)
    return "; ".join(f"{'; '.join(some)} (seed{'s' * (' ' in seeds)} {seeds})" for seeds, some in by_seeds.items())


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
