"""Writes docs/reproduction.md from the raw tables alone: verdicts first, then what they rest on, then what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from benchmarks.reproduction.claims import ABSTRACT, CLAIMS
from benchmarks.reproduction.families import ADDS, FAMILIES, RIVALS, ROUNDED
from benchmarks.reproduction.figures import Book
from benchmarks.reproduction.sheets import ALL_SEEDS, MISSING, Line, spread
from benchmarks.reproduction.suite import AGES, BARE, LEVELS, TRIALS_GROUP
from benchmarks.reproduction.verdicts import HELD, NOT_HELD, NOT_MEASURED
from benchmarks.throughput.markdown import table

_TEXT = Path(__file__).parent / "text"
#: Sessions over which the refresh policies are priced.
_SESSIONS = 100
#: Steps at which short trainings are shown.
_STEPS = (250, 500, 750, 3000, 5000)


def page(folder: Path) -> str:
    """Return the page.

    Args:
        folder: Where the CSV tables are.

    Raises:
        OSError: A table is not there.
    """
    book = Book.read(folder)
    groups = [_group(book, group) for group in book.groups if group != TRIALS_GROUP]
    parts = [
        _text("head"),
        _abstract(book),
        _verdicts(book),
        _text("shortfalls"),
        _text("predates"),
        *groups,
        _ages(book),
        _levels(book),
        _trials(book),
        _short(book),
        _on_phone(book),
    ]
    parts += [_training(book), _missing(book)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _text(name: str) -> str:
    return (_TEXT / f"{name}.md").read_text()


def _abstract(book: Book) -> str:
    """Return what becomes of each sentence of the abstract, and where."""
    out = []
    for sentence, asked in ABSTRACT:
        found: dict[str, list[str]] = {}
        for where, judge in asked:
            found.setdefault(judge(book).verdict, []).append(where)
        told = "; ".join(f"**{verdict}** on {', '.join(found[verdict])}" for verdict in (HELD, NOT_HELD, NOT_MEASURED) if verdict in found)
        out.append(f"- {sentence}: {told}.")
    return "## The abstract, sentence by sentence\n\n" + "\n".join(out)


def _verdicts(book: Book) -> str:
    """Return every claim with its target, what was measured, and the verdict."""
    out = ["## Verdicts"]
    for title, claims in CLAIMS.items():
        rows = []
        for claim in claims:
            made = claim.judge(book)
            measured = made.measured
            if made.verdict == NOT_MEASURED and made.commands:
                measured += ": " + ", ".join(f"`{command}`" for command in made.commands)
            rows.append((claim.text, claim.target, measured, f"**{made.verdict}**"))
        out += [f"### {title}", table(("claim", "target", "measured", "verdict"), rows)]
    return "\n\n".join(out)


def _group(book: Book, group: str) -> str:
    """Return a group's accuracy, costs and paired differences."""
    lines = {label: book.line(f"{group}/{label}") for label in book.labels(group)}
    if not any(lines.values()):
        return f"## {group}\n\nNothing is measured yet; what fills it stands at the end."
    first = next(line for line in lines.values() if line)
    about = (
        f"Data `{first['data']}`, backbone {first['backbone']}, width {first['width']}, histories of {first['max_len']}, "
        f"{first['rounds']} round(s), ranking {first['ranking']}, {first['counted']}."
    )
    parts = [f"## {group}", about, _accuracy(book, group, lines), _costs(lines)]
    for family in (group, f"{group}{ADDS}", f"{group}{RIVALS}", f"{group}{ROUNDED}"):
        if family in FAMILIES:
            parts.append(_differences(book, group, family))
    return "\n\n".join(parts)


def _accuracy(book: Book, group: str, lines: dict[str, Line | None]) -> str:
    head = (
        *("method", "seeds", "users", "HR@5", "NDCG@5", "HR@10", "NDCG@10 (95 %)", "interval over", "spread over seeds", "MRR"),
        *("last item: HR@10", "NDCG@10"),
    )
    rows = []
    for label, line in lines.items():
        if line is None:
            rows.append((f"`{label}`", *[MISSING] * (len(head) - 1)))
            continue
        cells = [_number(line[name]) for name in ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "hr_10_last", "ndcg_10_last")]
        if line["ndcg_10_low"]:
            cells[3] += f" ({_number(line['ndcg_10_low'])} to {_number(line['ndcg_10_high'])})"
        by_seed = [book.line(f"{group}/{label}", seed) for seed in line["seeds"].split()]
        cells[4:4] = [line["interval_over"] or "-", _spread(float(one["ndcg_10"]) for one in by_seed if one)]
        rows.append((f"`{label}`", line["seeds"], line["users"], *cells))
    return "### Accuracy\n\n" + table(head, rows)


def _costs(lines: dict[str, Line | None]) -> str:
    """Return accuracy beside what it costs: stored bits, bytes on the phone, and bytes after sessions; fewest bits first."""
    head = ("method", "stored bits", "model KiB", "peak memory KiB", "plan B", "KiB after 1", "after 10", "after 100 sessions", "NDCG@10")
    measured = [(label, line) for label, line in lines.items() if line]
    rows = [
        (
            f"`{label}`",
            _number(line["bits_mean"], 2),
            *(_kib(line[name]) for name in ("model_bytes", "peak_memory_bytes")),
            _number(line["prescription_bytes"], 0),
            *(_kib(line[f"bytes_after_{count}"]) for count in (1, 10, 100)),
            _number(line["ndcg_10"]),
        )
        for label, line in sorted(measured, key=lambda one: float(one[1]["bits_mean"] or "inf"))
    ]
    return "### Accuracy against stored bits and cumulative bytes\n\n" + table(head, rows)


def _differences(book: Book, group: str, family: str) -> str:
    head = (
        *("own", "other", "seeds", "users", "own NDCG@10", "other", "difference (95 %)", "interval over", "relative", "Holm p"),
        *("sign by seed", "spread over seeds"),
    )
    rows = []
    for own, other in FAMILIES[family]:
        line = book.difference(own, other)
        names = tuple(f"`{key.removeprefix(f'{group}/')}`" for key in (own, other))
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
                _number(line["own_mean"]),
                _number(line["other_mean"]),
                f"{float(line['difference']):+.4f}{ends}",
                line["interval_over"] or "-",
                relative,
                f"{float(line['p_holm']):.3g}" if line["p_holm"] else "-",
                f"{line['signs']} ({line['by_seed']})",
                _spread(float(one.partition(":")[2]) for one in line["by_seed"].split()),
            )
        )
    return f"### Paired differences{family.removeprefix(group)}, one family of {len(rows)}\n\n" + table(head, rows)


def _ages(book: Book) -> str:
    """Return accuracy by plan age with what refreshing at that age costs."""
    out = [_text("ages")]
    for group in book.groups:
        fresh = book.line(f"{group}/chord-plus")
        aged = {age: book.line(f"{group}/chord-aged-{age}") for age in AGES}
        if fresh is None or not any(aged.values()):
            continue
        session = (float(fresh["bytes_after_100"]) - float(fresh["bytes_after_10"])) / 90
        rows = [("1", _spent(fresh, session, 1), "fresh", _number(fresh["ndcg_10"]), "100 %")]
        for age, line in aged.items():
            if line is None:
                rows.append((str(age), _spent(fresh, session, age), str(age), MISSING, MISSING))
                continue
            rows.append((str(age), _spent(fresh, session, age), str(age), _number(line["ndcg_10"]), _of(line, fresh)))
        head = ("refreshed every … items", f"KiB after {_SESSIONS} items", "oldest plan", "NDCG@10 at that age", "of fresh")
        out += [f"### {group}", table(head, rows)]
    return "\n\n".join(out) if len(out) > 1 else ""


def _spent(fresh: Line, session: float, every: int) -> str:
    return _kib(str(float(fresh["bootstrap_bytes"]) + session * -(-_SESSIONS // every)))


def _levels(book: Book) -> str:
    """Return `chord` with each importance level left out."""
    out = [_text("levels")]
    for group in book.groups:
        whole = book.line(f"{group}/chord")
        without = {f"chord without {level}": book.line(f"{group}/chord without {level}") for level in LEVELS}
        without[f"chord{BARE}"] = book.line(f"{group}/chord{BARE}")
        if whole is None or not any(without.values()):
            continue
        rows: list[tuple[str, ...]] = [("`chord`", whole["seeds"], _number(whole["bits_mean"], 2), _number(whole["ndcg_10"]), "100 %")]
        for label, line in without.items():
            if line is None:
                rows.append((f"`{label}`", *[MISSING] * 4))
                continue
            rows.append((f"`{label}`", line["seeds"], _number(line["bits_mean"], 2), _number(line["ndcg_10"]), _of(line, whole)))
        out += [f"### {group}, levels", table(("method", "seeds", "stored bits", "NDCG@10", "of `chord`"), rows)]
    return "\n\n".join(out) if len(out) > 1 else ""


def _trials(book: Book) -> str:
    """Return the settings that were tried, best validation first; the test item is not looked at."""
    by_method: dict[str, list[tuple[float, str, str]]] = {}
    for label in book.labels(TRIALS_GROUP):
        method, _, setting = label.partition(", ")
        line = book.line(f"{TRIALS_GROUP}/{label}")
        score = float(line["validation_ndcg_10"]) if line and line["validation_ndcg_10"] else float("nan")
        by_method.setdefault(method, []).append((score, setting, line["train_steps"] if line else ""))
    if not by_method:
        return ""
    out = [_text("trials")]
    for method, tried in by_method.items():
        rows = [
            (setting, _number("" if math.isnan(score) else str(score)) if steps else MISSING, steps or "-")
            for score, setting, steps in sorted(tried, key=lambda one: (math.isnan(one[0]), -one[0]))
        ]
        out += [f"### `{method}`, {len(rows)} trials", table(("setting", "validation NDCG@10", "steps"), rows)]
    return "\n\n".join(out)


def _short(book: Book) -> str:
    """Return the short trainings that settings were chosen by, each at the same steps."""
    tried: dict[tuple[str, str], dict[int, str]] = {}
    for line in book.short:
        tried.setdefault((line["method"], line["setting"]), {})[int(line["step"])] = line["validation_ndcg_10"]
    if not tried:
        return ""
    rows = []
    for (method, setting), found in tried.items():
        best = max(found, key=lambda step: float(found[step]))
        shown = (_number(found.get(step, "")) for step in _STEPS)
        rows.append((f"`{method}`", setting, *shown, f"{_number(found[best])} ({best:,})"))
    return _text("short") + "\n" + table(("method", "setting", *(f"{step:,} steps" for step in _STEPS), "best (at step)"), rows)


def _on_phone(book: Book) -> str:
    """Return the steps and rates that phones which train were tried with."""
    if not book.on_phone:
        return ""
    rows = [
        (f"`{line['method']}`", line["steps"], line["rate"], line["seed"], _number(line["validation_ndcg_10"])) for line in book.on_phone
    ]
    return _text("phones") + "\n" + table(("method", "steps", "rate", "seed", "validation NDCG@10"), rows)


def _training(book: Book) -> str:
    """Return what every training took."""
    trainings: dict[tuple[str, ...], list[str]] = {}
    for line in book.accuracy:
        if line["seed"] != ALL_SEEDS and line["train_steps"]:
            took = (line["train_steps"], _number(line["train_s"], 0), _number(line["validation_ndcg_10"]))
            trainings.setdefault((line["group"], line["seed"], *took), []).append(f"`{line['label']}`")
    if not trainings:
        return ""
    rows = [(group, ", ".join(labels), *rest) for (group, *rest), labels in trainings.items()]
    return _text("training") + "\n" + table(("group", "method", "seed", "steps", "seconds", "validation NDCG@10"), rows)


def _missing(book: Book) -> str:
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


def _of(line: Line, whole: Line) -> str:
    """Return a share, where both rest on the same seeds."""
    return f"{float(line['ndcg_10']) / float(whole['ndcg_10']):.1%}" if line["seeds"] == whole["seeds"] else "other seeds"


def _spread(values: Iterable[float]) -> str:
    found = spread(values)
    return "-" if found is None else f"{found:.4f}"


def _number(text: str, digits: int = 4) -> str:
    return f"{float(text):,.{digits}f}" if text else "-"


def _kib(text: str) -> str:
    return f"{float(text) / 1024:,.1f}" if text else "-"
