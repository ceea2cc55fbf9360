"""Writes docs/reproduction.md from the raw tables alone: verdicts first, then what they rest on, then what is missing."""

from __future__ import annotations

import math
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.reproduction.claims import ABSTRACT, CLAIMS
from benchmarks.reproduction.families import ADDS, FAMILIES, RIVALS, ROUNDED
from benchmarks.reproduction.suite import AGES, BARE, LEVELS, TRIALS_GROUP
from benchmarks.suites.figures import Book
from benchmarks.suites.sections import accuracy, costs, differences, kib, missing, number, verdicts
from benchmarks.suites.sheets import ALL_SEEDS, MISSING, Line
from benchmarks.suites.verdicts import HELD, NOT_HELD, NOT_MEASURED

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
    parts += [_training(book), missing(book)]
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
    """Return every claim with its verdict, title by title."""
    out = ["## Verdicts"]
    for title, claims in CLAIMS.items():
        out += [f"### {title}", verdicts(book, claims)]
    return "\n\n".join(out)


def _group(book: Book, group: str) -> str:
    """Return a group's accuracy, costs and paired differences."""
    lines = {label: book.line(f"{group}/{label}") for label in book.labels(group)}
    if not any(lines.values()):
        return f"## {group}\n\nNothing is measured yet ([what is missing](#what-is-missing))."
    first = next(line for line in lines.values() if line)
    wide = "a feed-forward of" if first["backbone"] == "sasrec" else "width"
    about = (
        f"Data `{first['data']}`, backbone {first['backbone']}, {wide} {first['width']}, histories of {first['max_len']}, "
        f"{first['rounds']} round(s), ranking {first['ranking']}, {first['counted']}."
    )
    parts = [f"## {group}", about, accuracy(book, group, lines), costs(lines)]
    for family in (group, f"{group}{ADDS}", f"{group}{RIVALS}", f"{group}{ROUNDED}"):
        if family in FAMILIES:
            parts.append(differences(book, group, family.removeprefix(group), FAMILIES[family]))
    return "\n\n".join(parts)


def _ages(book: Book) -> str:
    """Return accuracy by plan age with what refreshing at that age costs."""
    out = [_text("ages")]
    for group in book.groups:
        fresh = book.line(f"{group}/chord-plus")
        aged = {age: book.line(f"{group}/chord-aged-{age}") for age in AGES}
        if fresh is None or not any(aged.values()):
            continue
        session = (float(fresh["bytes_after_100"]) - float(fresh["bytes_after_10"])) / 90
        rows = [("1", _spent(fresh, session, 1), "fresh", number(fresh["ndcg_10"]), "100 %")]
        for age, line in aged.items():
            if line is None:
                rows.append((str(age), _spent(fresh, session, age), str(age), MISSING, MISSING))
                continue
            rows.append((str(age), _spent(fresh, session, age), str(age), number(line["ndcg_10"]), _of(line, fresh)))
        head = ("refreshed every … items", f"KiB after {_SESSIONS} items", "oldest plan", "NDCG@10 at that age", "of fresh")
        out += [f"### {group}", table(head, rows)]
    return "\n\n".join(out) if len(out) > 1 else ""


def _spent(fresh: Line, session: float, every: int) -> str:
    return kib(str(float(fresh["bootstrap_bytes"]) + session * -(-_SESSIONS // every)))


def _levels(book: Book) -> str:
    """Return `chord` with each importance level left out."""
    out = [_text("levels")]
    for group in book.groups:
        whole = book.line(f"{group}/chord")
        without = {f"chord without {level}": book.line(f"{group}/chord without {level}") for level in LEVELS}
        without[f"chord{BARE}"] = book.line(f"{group}/chord{BARE}")
        if whole is None or not any(without.values()):
            continue
        rows: list[tuple[str, ...]] = [("`chord`", whole["seeds"], number(whole["bits_mean"], 2), number(whole["ndcg_10"]), "100 %")]
        for label, line in without.items():
            if line is None:
                rows.append((f"`{label}`", *[MISSING] * 4))
                continue
            rows.append((f"`{label}`", line["seeds"], number(line["bits_mean"], 2), number(line["ndcg_10"]), _of(line, whole)))
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
            (setting, number("" if math.isnan(score) else str(score)) if steps else MISSING, steps or "-")
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
        shown = (number(found.get(step, "")) for step in _STEPS)
        rows.append((f"`{method}`", setting, *shown, f"{number(found[best])} ({best:,})"))
    return _text("short") + "\n" + table(("method", "setting", *(f"{step:,} steps" for step in _STEPS), "best (at step)"), rows)


def _on_phone(book: Book) -> str:
    """Return the steps and rates that phones which train were tried with."""
    if not book.on_phone:
        return ""
    rows = [
        (f"`{line['method']}`", line["steps"], line["rate"], line["seed"], number(line["validation_ndcg_10"])) for line in book.on_phone
    ]
    return _text("phones") + "\n" + table(("method", "steps", "rate", "seed", "validation NDCG@10"), rows)


def _training(book: Book) -> str:
    """Return what every training took."""
    trainings: dict[tuple[str, ...], list[str]] = {}
    for line in book.accuracy:
        if line["seed"] != ALL_SEEDS and line["train_steps"]:
            took = (line["train_steps"], number(line["train_s"], 0), number(line["validation_ndcg_10"]))
            trainings.setdefault((line["group"], line["seed"], *took), []).append(f"`{line['label']}`")
    if not trainings:
        return ""
    rows = [(group, ", ".join(labels), *rest) for (group, *rest), labels in trainings.items()]
    return _text("training") + "\n" + table(("group", "method", "seed", "steps", "seconds", "validation NDCG@10"), rows)


def _of(line: Line, whole: Line) -> str:
    """Return a share, where both rest on the same seeds."""
    return f"{float(line['ndcg_10']) / float(whole['ndcg_10']):.1%}" if line["seeds"] == whole["seeds"] else "other seeds"
