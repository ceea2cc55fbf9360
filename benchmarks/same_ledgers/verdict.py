"""Whether two answers are the same ledger, in a line for a person; and where they part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHOWN = 12


@dataclass(frozen=True)
class Verdict:
    """What the comparison of one scenario came to.

    Attributes:
        same: Both sides finished, with the same methods and the same hash; or, where one of them has more columns, with the same values
            in all columns that both have.
        lines: What to print: one line, and below it where the sides part.
    """

    same: bool
    lines: tuple[str, ...]


def verdict(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Verdict:
    """Compare the two answers for a scenario; an error is no ledger, so two equal errors are not the same."""
    took = f"({_seconds(old)} and {_seconds(new)})"
    errors = [f"    {side}: {answer['error']}" for side, answer in (("old", old), ("new", new)) if "error" in answer]
    if errors:
        return Verdict(False, (f"FAILED     {name:17} {took}", *errors))
    if old["methods"] == new["methods"] and old["sha256"] == new["sha256"]:
        return Verdict(True, (f"same       {name:17} {new['sha256'][:SHOWN]}  {new['told']} {took}",))
    alone = {side: columns for side, columns in zip(("old", "new"), _alone(old, new), strict=True) if columns}
    if old["methods"] == new["methods"] and alone and not _parting(old, new):
        only = "; ".join(f"only {side} has {', '.join(columns)}" for side, columns in alone.items())
        return Verdict(True, (f"same       {name:17} in all columns of both; {only}; {new['told']} {took}",))
    head = f"DIFFERENT  {name:17} old {old['sha256']} new {new['sha256']} {took}"
    return Verdict(False, (head, *(f"    {line}" for line in differences(old, new))))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what differs: methods that one side alone played, and columns with the methods that they differ in."""
    out = []
    for side, mine, others in (("old", old, new), ("new", new, old)):
        alone = [name for name in mine["methods"] if name not in others["methods"]]
        if alone:
            out.append(f"only {side} played {', '.join(alone)}")
    parted: dict[str, list[str]] = {}
    for part, columns in _parting(old, new).items():
        parted.setdefault(", ".join(columns), []).append(part)
    out += [f"{columns}: {'; '.join(parts)}" for columns, parts in parted.items()]
    return out or ["all columns hold the same: the hash itself, the order of columns or their types differ"]


def _parting(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns that both sides have and that differ, by method."""
    out = {}
    for part in sorted({*old["parts"]} & {*new["parts"]}):
        one, two = old["parts"][part], new["parts"][part]
        columns = [key for key in one if key in two and one[key] != two[key]]
        if columns:
            out[part] = columns
    return out


def _alone(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the columns that the old side alone has, and those of the new."""
    one, two = ({key for part in side["parts"].values() for key in part} for side in (old, new))
    return sorted(one - two), sorted(two - one)


def _seconds(answer: Mapping[str, Any]) -> str:
    return "kept" if answer.get("kept") else f"{answer['seconds']:.1f} s" if "seconds" in answer else "-"
