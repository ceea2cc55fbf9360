"""A property: a name that a reader understands, and a check that raises where it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chordsim.errors import ChordsimError

T = TypeVar("T")


class PropertyFailed(ChordsimError):
    """A plug-in lacks a property.

    Attributes:
        name: The property's name.
    """

    def __init__(self, whose: str, name: str, why: str) -> None:
        super().__init__(f"{whose}: not {name}: {why}")
        self.name = name


class Fault(Exception):
    """What a check found, in words."""


@dataclass(frozen=True)
class Property(Generic[T]):
    """One thing that must hold.

    Attributes:
        name: In words that fit behind "is": ``deterministic``.
        check: Raises `Fault` where it does not hold. Any other error of the plug-in counts as a fault too.
    """

    name: str
    check: Callable[[T], None]


def held(whose: str, subject: T, properties: Iterable[Property[T]]) -> tuple[str, ...]:
    """Check properties in order and return their names.

    Raises:
        PropertyFailed: The first that does not hold.
    """
    names = []
    for one in properties:
        try:
            one.check(subject)
        except Fault as fault:
            raise PropertyFailed(whose, one.name, str(fault)) from fault
        except Exception as error:
            raise PropertyFailed(whose, one.name, f"{type(error).__name__}: {error}") from error
        names.append(one.name)
    return tuple(names)


def need(holds: object, otherwise: str) -> None:
    """Raise `Fault` unless something holds."""
    if not bool(holds):
        raise Fault(otherwise)
