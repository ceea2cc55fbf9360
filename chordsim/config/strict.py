"""What every table of a scenario shares: strict typing, no unknown keys, frozen values, and what a name looks like."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, values are taken as TOML types them and do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
