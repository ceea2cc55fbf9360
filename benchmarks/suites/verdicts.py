"""How a claim is judged: a target, what was measured, and held, not held or not measured, from the tables alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.suites.figures import Book
from benchmarks.suites.sheets import MISSING, Line

#: How far stored bits may lie apart and still count as the same.
EQUAL_BITS = 0.02
HELD, NOT_HELD, NOT_MEASURED = "held", "not held", "not measured"


@dataclass(frozen=True)
class Judgement:
    """What the tables say of a claim.

    Attributes:
        verdict: One of the three.
        measured: The figures in words.
    """

    verdict: str
    measured: str


Judge = Callable[[Book], Judgement]


@dataclass(frozen=True)
class Claim:
    """One claim, its target in words, and its judge."""

    text: str
    target: str
    judge: Judge


def reaches(key: str, **least: float) -> Judge:
    """Judge whether a cell reaches scores, by column of the accuracy table."""

    def judge(book: Book) -> Judgement:
        found = {column: book.number(key, column) for column in least}
        if None in found.values():
            return missing(book, key)
        words = ", ".join(f"{column.removesuffix('_last')} {value:.4f}" for column, value in found.items())
        good = all((found[column] or 0.0) >= value for column, value in least.items())
        return Judgement(HELD if good else NOT_HELD, f"{words} (seeds {_seeds(book.line(key))})")

    return judge


def at_most(key: str, column: str, most: float, unit: str) -> Judge:
    """Judge whether a number of a cell stays at or below a limit, in the mean over the seeds whose runs tell it."""

    def judge(book: Book) -> Judgement:
        value, seeds = book.number(key, column), _seeds(book.line(key))
        if value is None:
            told = {} if book.missing(key) else book.told(key, column)
            if not told:
                return missing(book, key)
            value, seeds = sum(told.values()) / len(told), f"{', '.join(told)}; others do not tell"
        return Judgement(HELD if value <= most else NOT_HELD, f"{value:,.4g} {unit} (seeds {seeds})")

    return judge


def share(own: str, other: str, least: float) -> Judge:
    """Judge whether own has at least a share of other's NDCG@10, by the point estimate; the interval is shown."""
    return _share(own, other, least, within=False)


def not_below(own: str, other: str, least: float) -> Judge:
    """Judge whether own has at least a share of other's NDCG@10, over three seeds; missed only where the whole interval lies below."""
    return _share(own, other, least, within=True)


def _share(own: str, other: str, least: float, *, within: bool) -> Judge:
    """Judge a share; where ``within``, an interval is needed, and one that reaches the share is enough."""

    def judge(book: Book) -> Judgement:
        line = book.difference(own, other)
        if line is None or not line["relative"]:
            return missing(book, own, other)
        if within and not line["relative_high"]:
            return Judgement(NOT_MEASURED, "two seeds are too few for an interval")
        held = 1 + float(line["relative"]) >= least
        reached = not held and within and 1 + float(line["relative_high"]) >= least
        return Judgement(HELD if held or reached else NOT_HELD, _share_words(line) + ("; the interval reaches it" if reached else ""))

    return judge


def above(own: str, *others: str, least: float = 0.0) -> Judge:
    """Judge whether own is above the strongest of the others by a share of its NDCG@10, with an interval above zero."""

    def judge(book: Book) -> Judgement:
        lines = [book.difference(own, other) for other in others]
        if any(line is None or not line["relative"] for line in lines):
            return missing(book, own, *others)
        if any(line and not line["low"] for line in lines):
            return Judgement(NOT_MEASURED, "two seeds are too few for an interval")
        weakest = min((line for line in lines if line), key=lambda line: float(line["difference"]))
        good = float(weakest["relative"]) >= least and float(weakest["low"]) > 0
        return Judgement(HELD if good else NOT_HELD, f"against `{_label(weakest['other'])}`: {_relative_words(weakest)}")

    return judge


def at_equal_bits(own: str, other: str, least: float = 0.0) -> Judge:
    """Judge whether own is above other where both store the same bits per weight, whatever budgets they were under."""

    def judge(book: Book) -> Judgement:
        bits = [book.number(key, "bits_mean") for key in (own, other)]
        made = above(own, other, least=least)(book)
        if None in bits or made.verdict == NOT_MEASURED:
            return made
        mine, theirs = (value or 0.0 for value in bits)
        words = f"{mine:.2f} and {theirs:.2f} stored bits"
        if abs(mine - theirs) > EQUAL_BITS * max(mine, theirs):
            return Judgement(NOT_MEASURED, f"{words}, which are not the same")
        return Judgement(made.verdict, f"{made.measured}; {words}")

    return judge


def all_of(*judges: Judge) -> Judge:
    """Judge whether everything holds."""
    return at_least_of(len(judges), *judges)


def at_least_of(count: int, *judges: Judge) -> Judge:
    """Judge whether at least so many hold; what is missing leaves it open only where it could still decide."""

    def judge(book: Book) -> Judgement:
        made = [one(book) for one in judges]
        held, open_ = (sum(j.verdict == verdict for j in made) for verdict in (HELD, NOT_MEASURED))
        verdict = HELD if held >= count else NOT_MEASURED if held + open_ >= count else NOT_HELD
        return Judgement(verdict, "; ".join(dict.fromkeys(j.measured for j in made)))

    return judge


def named(name: str, judge: Judge) -> Judge:
    """Put a name before what was measured."""

    def judged(book: Book) -> Judgement:
        made = judge(book)
        return Judgement(made.verdict, f"{name}: {made.measured}")

    return judged


def seeds_done(groups: Sequence[tuple[str, int]], keys: Sequence[str]) -> Judge:
    """Judge whether these labels have so many seeds in each group."""

    def judge(book: Book) -> Judgement:
        words: list[str] = []
        good = True
        for group, count in groups:
            wanted = [key for key in keys if key in book.labels(group)]
            seeds = {key: sum(c["state"] == "measured" for c in book.cells if (c["group"], c["label"]) == (group, key)) for key in wanted}
            done = sum(n >= count for n in seeds.values())
            good &= 0 < len(wanted) == done
            words.append(f"{group}: {done} of {len(wanted)} methods with {count} seed{'s' * (count > 1)}")
        return Judgement(HELD if good else NOT_MEASURED, "; ".join(words))

    return judge


def missing(book: Book, *keys: str) -> Judgement:
    """Return that nothing can be said, since cells are missing or since their runs do not tell it."""
    return Judgement(NOT_MEASURED, MISSING if book.missing(*keys) else "not told by its runs")


def _share_words(line: Line) -> str:
    low, high = (f"{1 + float(line[end]):.1%}" if line[end] else "-" for end in ("relative_low", "relative_high"))
    means = f"{float(line['own_mean']):.4f} of {float(line['other_mean']):.4f}"
    return f"{1 + float(line['relative']):.1%} ({low} to {high}), {means}{_tail(line)}"


def _relative_words(line: Line) -> str:
    low, high = (f"{float(line[end]):+.1%}" if line[end] else "-" for end in ("relative_low", "relative_high"))
    return f"{float(line['relative']):+.1%} ({low} to {high}), Holm p {float(line['p_holm']):.3g}{_tail(line)}"


def _tail(line: Line) -> str:
    return f" (seeds {line['seeds'].replace(' ', ', ')}; signs {line['signs']})"


def _seeds(line: Line | None) -> str:
    return line["seeds"].replace(" ", ", ") if line else "-"


def _label(key: str) -> str:
    return key.partition("/")[2]
