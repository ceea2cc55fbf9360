"""What pydantic found wrong with a scenario, as one line: the file, the dotted key and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from chordsim.config.model import Scenario
from chordsim.nearest import suggest

#: Errors that follow from another one, or say less than it; shown only if there is no other.
_LAST = ("missing", "too_short")
_TYPES = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "tuple_type": 'a list, such as ["fp32", "chord"]',
    "model_type": "a table",
    "dict_type": "a table",
}


def explain(error: ValidationError, source: str, origin: Mapping[str, str]) -> str:
    """Return the first finding as one line, and how many more there are.

    Args:
        error: What pydantic raised for a `Scenario`.
        source: The file's name.
        origin: Dotted keys that an override set, and how to name the override instead of the file.
    """
    found = sorted(error.errors(include_url=False), key=lambda e: e["type"] in _LAST)
    first = found[0]
    key = dotted(first["loc"])
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    what = _what(first, key)
    # A rule over several keys has no place of its own, or that of a whole table; its words begin with the key that is wrong.
    named = re.match(r"[\w-]+(\.[\w-]+)*", what)
    return f"{_where((named[0] if named else key, key), source, origin)}: {what}{more}"


def dotted(loc: tuple[int | str, ...]) -> str:
    """Return a key as it is written in the file: ``population.tiers.low.share``, ``methods[0]``."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":
            text += f".{part}" if text else part
    return text


def fields_at(loc: tuple[int | str, ...]) -> list[str] | None:
    """Return the keys that the table at ``loc`` takes, or None where any key goes."""
    model: type[BaseModel] | None = Scenario
    for part in loc:
        if model is None:
            return None
        field = model.model_fields.get(str(part))
        if field is None:  # a name given by the user, such as a tier's: its table is what the mapping holds
            continue
        model = _model_of(field.annotation)
    return None if model is None else list(model.model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_of, get_args(annotation)) if m), None)


def _where(keys: Iterable[str], source: str, origin: Mapping[str, str]) -> str:
    """Return the override that set one of the keys, the first one that any did; else the file."""
    for key in keys:
        for set_key, text in origin.items():
            if key == set_key or key.startswith((f"{set_key}.", f"{set_key}[")) or (key and set_key.startswith(f"{key}.")):
                return text
    return source


def _what(error: Mapping[str, Any], key: str) -> str:
    kind, shown = error["type"], _shown(error["input"])
    if kind == "extra_forbidden":
        return f"unknown key {key!r}{_right_key(error['loc'])}"
    if kind == "missing":
        return f"{key}: missing; this table needs it"
    if kind == "value_error":
        text = str(error.get("ctx", {}).get("error", error["msg"]))
        return text if not key or text.startswith(key) else f"{key}: {text}"
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
        choices = [part.strip("' ") for part in expected.replace(" or ", ", ").split(", ")]
        near = suggest(error["input"], choices) if isinstance(error["input"], str) else ""
        return f"{key}: must be {expected}, not {shown}{near if 'did you mean' in near else ''}"
    if kind == "string_pattern_mismatch":
        return f"{key}: {shown} is no name: use up to 64 letters, digits, '.', '_' and '-', a letter or digit first"
    if kind in _TYPES:
        return f"{key}: must be {_TYPES[kind]}, not {shown}"
    message = error["msg"].replace("Input should be a valid", "must be a").replace("Input should", "must")
    message = message.replace("String should", "must").replace("Tuple should", "must").replace("Dictionary should", "must")
    message = message.replace(" after validation", "")
    return f"{key}: {message}, not {shown}" if message.startswith("must be") else f"{key}: {message}"


def _right_key(loc: tuple[int | str, ...]) -> str:
    """Return the same key where it stands elsewhere, else the nearest one of the same table."""
    word = str(loc[-1])
    elsewhere = [key for key in _all_keys(Scenario, "") if key.rpartition(".")[2] == word]
    return f": did you mean {elsewhere[0]!r}?" if elsewhere else suggest(word, fields_at(loc[:-1]) or [])


def _all_keys(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _all_keys(inner, f"{prefix}{name}.")


def _shown(value: Any) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
