"""Writes what each method takes from its source into docs/methods.md, out of the docstrings of specs.

python -m benchmarks.mechanisms
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from benchmarks.cut_off import ended
from benchmarks.markdown import table
from benchmarks.parser import parser_of
from chordsim import methods

PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
TITLE = "## What each method takes from its source"
#: Paragraphs of a spec's docstring, each begun by its label at the start of a line.
LABELS = ("Source", "Published", "Inference", "Left out", "Differs from official code")
_BEGINS = re.compile(rf"^({'|'.join(LABELS)}): ", re.MULTILINE)


def told() -> dict[str, tuple[tuple[str, ...], dict[str, str]]]:
    """Return by spec module its methods, and the labelled paragraphs of its docstring; none where it is of no paper."""
    families: dict[str, list[str]] = {}
    for name, path in methods.known().items():
        if path.startswith("chordsim."):
            families.setdefault(path.partition(":")[0], []).append(name)
    return {module: (tuple(sorted(names)), paragraphs(importlib.import_module(module).__doc__ or "")) for module, names in families.items()}


def paragraphs(docstring: str) -> dict[str, str]:
    """Return the labelled paragraphs of a docstring, each as one line; one ends where the next begins or at an empty line."""
    places = list(_BEGINS.finditer(docstring))
    ends = [*(place.start() for place in places[1:]), len(docstring)]
    texts = [docstring[place.end() : end].partition("\n\n")[0] for place, end in zip(places, ends, strict=False)]
    return {place[1]: " ".join(text.split()).replace("|", "\\|") for place, text in zip(places, texts, strict=True)}


def section() -> str:
    """Return the section of the page."""
    found = sorted(told().values())
    head = ("method", "source", "published", "inference", "left out", "differs from official code where")
    rows = [
        (", ".join(f"`{name}`" for name in names), *(parts.get(label, "-").removesuffix(".") for label in LABELS))
        for names, parts in found
        if "Source" in parts
    ]
    others = ", ".join(f"`{name}`" for names, parts in found if "Source" not in parts for name in names)
    return f"""{TITLE}

Written by `python -m benchmarks.mechanisms` from the docstrings of `chordsim/methods/*/spec.py`; a test holds the two together.
*Inference* is what no source at hand says and we chose. Controls of this testbed, of no paper: {others}.

{table(head, rows, len(head))}
"""


def main() -> None:
    """Put the section into the page, at its end or in place of an older one."""
    parser_of(__doc__, __file__).parse_args()
    before, _, _ = PAGE.read_text().partition(TITLE)
    PAGE.write_text(f"{before.rstrip()}\n\n{section()}")


if __name__ == "__main__":
    sys.exit(ended(main))
