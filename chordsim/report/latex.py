"""Tables as LaTeX that are never wider than one column of an article, with or without packages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from chordsim.report.paper import Paper

Form = Literal["latex", "markdown", "csv"]
#: A column of an article in two columns is 229.5 pt wide; a little is left, as the widths below are estimates.
WIDEST_PT = 222.0
GAP_PT = 4.0
_LEAST_NAME_PT = 36.0
#: Widths in pt of Computer Modern in the size of footnotes, 8 pt where the text has 10 pt.
_WIDTHS = dict.fromkeys("ijl.,:;!'|", 2.5) | dict.fromkeys("frst-()[] ", 3.4) | dict.fromkeys("mwMW@%", 7.1) | dict.fromkeys("+−Δ", 6.7)
_CAPITAL_PT, _OTHER_PT, _BOLD = 6.4, 4.45, 1.16
_TEX = {
    **{sign: f"\\{sign}" for sign in "&%_#${}"},
    "\\": r"\textbackslash{}",
    "[": "{[}",  # after a line's end it would be taken for a length
    "*": "{*}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "−": r"\ensuremath{-}",
    "+": r"\ensuremath{+}",
    "Δ": r"\ensuremath{\Delta}",
    "†": r"\ensuremath{^\dagger}",
    "‡": r"\ensuremath{^\ddagger}",
    "/": r"/\allowbreak{}",
}
#: Rules of booktabs where it is loaded, plain lines where it is not.
_RULES = "".join(f"\\providecommand{{\\{name}rule}}{{\\hline}}" for name in ("top", "mid", "bottom"))


def printed(table: Paper, form: Form) -> str:
    """Return a table in one of its forms."""
    return latex(table) if form == "latex" else table.csv() if form == "csv" else table.markdown()


def latex(table: Paper) -> str:
    """Return a float that is no wider than a column: what does not fit is broken, and last columns are left out if that is too little."""
    shown, room = fit(table)
    heads = [_stacked(_broken(name, width), "[b]", "l") for name, width in zip(table.names, room, strict=True)]
    heads += [_stacked(head.split("\n"), "[b]", "r") for head in table.heads[:shown]]
    body = []
    for number, (names, cells) in enumerate(table.rows):
        left = [_stacked(_broken(name, width), "[t]", "l") for name, width in zip(names, room, strict=True)]
        right = [(f"\\textbf{{{tex(c.text)}}}" if c.bold else tex(c.text)) + _mark(c.mark) for c in cells[:shown]]
        body.append(f"{' & '.join([*left, *right])} \\\\" + ("\n\\midrule" if number in table.after else ""))
    return (
        f"{_RULES} % looks better with \\usepackage{{booktabs}}\n"
        "\\begin{table}[t]\n\\centering\\sloppy\n"
        f"\\caption{{{tex(table.told(shown))}}}\n\\label{{{table.label}}}\n"
        f"\\footnotesize\\setlength{{\\tabcolsep}}{{{GAP_PT / 2:g}pt}}\n"
        f"\\begin{{tabular}}{{@{{}}{'l' * len(table.names)}{'r' * shown}@{{}}}}\n"
        f"\\toprule\n{' & '.join(heads)} \\\\\n\\midrule\n" + "\n".join(body) + "\n\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def fit(table: Paper) -> tuple[int, list[float]]:
    """Return how many columns of numbers fit beside the names, and how wide each name may be in pt before it is broken."""
    wide = [max([width(head), *(width(names[n]) for names, _ in table.rows)]) for n, head in enumerate(table.names)]
    least = [min(one, _LEAST_NAME_PT) for one in wide]
    figures = [
        max([*map(width, head.split("\n")), *(width(cells[n].text, cells[n].bold) for _, cells in table.rows)])
        for n, head in enumerate(table.heads)
    ]
    shown = len(figures)
    while shown > 1 and sum(least) + sum(figures[:shown]) + GAP_PT * (len(least) + shown - 1) > WIDEST_PT:
        shown -= 1
    spare = WIDEST_PT - sum(figures[:shown]) - GAP_PT * (len(least) + shown - 1) - sum(least)
    room = list(least)
    for place, one in enumerate(wide):  # what is left goes to the names, the first ones first
        more = max(0.0, min(one - room[place], spare))
        room[place] += more
        spare -= more
    return shown, room


def width(words: str, bold: bool = False) -> float:
    """Return about how many pt words take in footnotes of an article."""
    pt = sum(_WIDTHS.get(sign, _CAPITAL_PT if sign.isupper() else _OTHER_PT) for sign in words)
    return pt * (_BOLD if bold else 1.0)


def tex(words: Any) -> str:
    """Return words as LaTeX prints them."""
    return "".join(_TEX.get(sign, sign) for sign in str(words))


def _mark(words: str) -> str:
    """Return a mark that takes no room, so that figures stay under one another."""
    return f"\\rlap{{{tex(words)}}}" if words else ""


def _broken(words: str, room: float) -> list[str]:
    """Return a name in as many lines as its room asks for; a name is never cut."""
    lines = [""]
    for part in re.findall(r"[^-_./=, ]*[-_./=, ]?", words):
        pieces = [part] if width(part) <= room else re.findall(r".{1,7}", part)
        for piece in pieces:
            if lines[-1] and width((lines[-1] + piece).rstrip()) > room + 0.01:
                lines.append("")
            lines[-1] += piece
    return [line.strip() for line in lines]


def _stacked(lines: Sequence[str], place: str, side: str) -> str:
    """Return lines above one another."""
    words = " \\\\ ".join(map(tex, lines))
    return words if len(lines) == 1 else f"\\begin{{tabular}}{place}{{@{{}}{side}@{{}}}}{words}\\end{{tabular}}"
