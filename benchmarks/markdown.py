"""Tables of pages in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a table.

    Args:
        head: Of its columns.
        rows: Cells, as many as columns.
        words: How many columns hold words; the others hold numbers, which stand on the right.
    """
    lines = [head, [*["---"] * words, *["---:"] * (len(head) - words)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
