"""The scenarios that come with chordsim, and the question that each answers."""

from __future__ import annotations

from pathlib import Path

from chordsim.errors import ScenarioError
from chordsim.installed import HOME

SUFFIX = ".toml"


def folder() -> Path:
    """Return where the shipped scenarios lie: inside the wheel, or at the root of a checkout.

    Raises:
        ScenarioError: The installation holds neither.
    """
    package = HOME.resolve() / "chordsim"
    places = (package / "_scenarios", package.parent / "scenarios")
    for place in places:
        if place.is_dir():
            return place
    raise ScenarioError(f"this installation has no scenarios (looked in {places[0]} and {places[1]}): install chordsim anew")


def shipped() -> dict[str, Path]:
    """Return the shipped scenarios by name."""
    return {path.stem: path for path in sorted(folder().glob(f"*{SUFFIX}"))}


def question_of(text: str) -> str:
    """Return the question that a scenario answers: its first line, if that is a comment."""
    first = text.lstrip("\ufeff").partition("\n")[0].strip()
    return first.lstrip("#").strip() if first.startswith("#") else ""
