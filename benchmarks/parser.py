"""The command line of a benchmark: its help is its docstring, and what it does not take is said in one line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

_ROOT = Path(__file__).resolve().parents[1]


class Parser(argparse.ArgumentParser):
    """A parser that says in one line, as `chordsim` does, what it does not take; its commands' parsers do so too."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with exit code 2."""
        self.exit(2, f"error: {' '.join(message.split())} (see {self.prog} --help)\n")


def parser_of(doc: str | None, file: str) -> Parser:
    """Return the parser of a benchmark that is started with `python -m`.

    Args:
        doc: The module's docstring, shown by `--help`.
        file: The module's file, which gives its name.
    """
    parts = Path(file).resolve().relative_to(_ROOT).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__main__")
    return Parser(prog=f"python -m {name}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def positive(text: str) -> int:
    """Return a whole number of 1 or more, as the type of an argument.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)
