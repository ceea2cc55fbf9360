"""Tables for a terminal of any width: what does not fit stands below, under its names again; no figure is ever cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

#: Between two columns.
GAP = 2
#: A name is cut to no fewer characters than this as long as that lets all columns stand side by side, and
LEAST_NAME = 14
#: to no fewer than this where not even one column fits beside it.
LEAST_AT_ALL = 6
#: A word that is longer, a checksum or a path, may go on in the next line.
LONGEST_WORD = 20


@dataclass(frozen=True)
class Fitted:
    """A table of names and figures. Print it on a console.

    Attributes:
        names: Heads of the columns that name a row; their cells stand left and may be cut where room is short.
        heads: Heads of the others, whose cells are never cut; a head may have several lines.
        rows: Cells of each row, names first.
        title: A line above; empty for none.
        bold: Rows that stand out, by number.
    """

    names: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    bold: frozenset[int] = frozenset()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the lines for the console's width."""
        for line, style in self.lines(options.max_width):
            yield Text(line, style=style, no_wrap=True, overflow="ignore")

    def lines(self, width: int) -> Iterator[tuple[str, str]]:
        """Yield every line and its style for a terminal of so many columns."""
        for line in wrap(self.title, width):
            yield line, "italic"
        natural = [self._width(place) for place in range(len(self.names) + len(self.heads))]
        names, figures = natural[: len(self.names)], natural[len(self.names) :]
        if not figures:
            yield from self._block(names, figures, range(0))
            return
        least = [min(size, LEAST_NAME) for size in names]
        if _total([*least, *figures]) <= width:
            names = _shrunk(names, width - _total(figures) - GAP, LEAST_NAME)
        else:
            names = _shrunk(names, width - max(figures) - GAP, LEAST_AT_ALL)
        at = 0
        while at < len(figures):
            stop = at + 1
            while stop < len(figures) and _total([*names, *figures[at : stop + 1]]) <= width:
                stop += 1
            if at:
                yield "", ""
            yield from self._block(names, figures[at:stop], range(at, stop))
            at = stop

    def _width(self, place: int) -> int:
        head = (*self.names, *self.heads)[place]
        return max([*map(len, head.split("\n")), *(len(row[place]) for row in self.rows)])

    def _block(self, names: Sequence[int], figures: Sequence[int], chosen: range) -> Iterator[tuple[str, str]]:
        """Yield some of the columns, beside the names."""
        heads = [*self.names, *(self.heads[place] for place in chosen)]
        high = max(head.count("\n") + 1 for head in heads)
        split = [[""] * (high - head.count("\n") - 1) + head.split("\n") for head in heads]
        for level in range(high):
            yield _joined([lines[level] for lines in split], names, figures), "bold"
        for number, row in enumerate(self.rows):
            cells = [*row[: len(self.names)], *(row[len(self.names) + place] for place in chosen)]
            yield _joined(cells, names, figures), "bold" if number in self.bold else ""


class Worded:
    """A table of words, which wrap between words; where its columns are too narrow for that, every row is told line by line."""

    def __init__(self, *heads: str) -> None:
        """Start empty; ``heads`` name the columns, the first of which names the row."""
        self._heads = heads
        self._rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row."""
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        """Yield the table for the console's width, or its rows as lines."""
        columns = list(zip(self._heads, *self._rows, strict=True))
        names = max(map(len, columns[0]))
        longest = [max(len(word) for cell in cells for word in cell.split() or [""]) for cells in columns[1:]]
        if _total([names, *(min(size, LONGEST_WORD) for size in longest)]) > options.max_width:
            for name, *cells in self._rows:
                yield Text(name, style="bold")
                for head, cell in zip(self._heads[1:], cells, strict=True):
                    yield Text(f"{head}: {cell}" if head else cell, overflow="fold")
            return
        table = Table(show_header=any(self._heads), box=None, pad_edge=False)
        for place, head in enumerate(self._heads):
            table.add_column(head, overflow="fold", no_wrap=place == 0, min_width=min((names, *longest)[place], LONGEST_WORD) or None)
        for row in self._rows:
            table.add_row(*row)
        yield table


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shrunk(widths: Sequence[int], room: int, least: int) -> list[int]:
    """Return the widths of name columns, the widest cut first, so that they take up no more than ``room``, where that can be."""
    out = list(widths)
    while _total(out) > room and max(out) > least:
        out[out.index(max(out))] -= 1
    return out


def _joined(cells: Sequence[str], names: Sequence[int], figures: Sequence[int]) -> str:
    left = [_cut(cell, width).ljust(width) for cell, width in zip(cells, names, strict=False)]
    right = [cell.rjust(width) for cell, width in zip(cells[len(names) :], figures, strict=True)]
    return (" " * GAP).join([*left, *right]).rstrip()


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"
