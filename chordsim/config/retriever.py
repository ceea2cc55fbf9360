"""The table `[retriever]`: a shape of its own for the model of `protocol.retriever = "model"`, and how old its lists are."""

from __future__ import annotations

import re

from pydantic import Field, ValidationError

from chordsim.config.strict import Table


class RetrieverConfig(Table):
    """What the model that lists has of its own; the rest, its kind too, is that of `[backbone]`."""

    dim: int | None = Field(None, ge=4, le=1024, multiple_of=4)
    ffn_dim: int | None = Field(None, ge=4, le=4096, multiple_of=4)
    blocks: int | None = Field(None, ge=1, le=16)
    heads: int | None = Field(None, ge=1, le=16)
    max_len: int | None = Field(None, ge=2, le=1000)  # items of a user's logs that it reads, in training and for lists
    positions: int | None = Field(None, ge=1, le=10_000_000)  # of its training, in place of training.positions
    aged: int = Field(0, ge=0, le=10_000)  # lists are those of so many items before the end of the logs; training knows nothing of it

    @property
    def shape(self) -> dict[str, int]:
        """What is given over `[backbone]`."""
        return self.model_dump(exclude={"positions", "aged"}, exclude_none=True)


def named_of_retriever(error: ValidationError) -> str:
    """Return the first thing that is wrong with a backbone, by the names of this table's keys."""
    first = error.errors()[0]
    keys = "|".join(RetrieverConfig.model_fields)
    return re.sub(rf"backbone\.(?=(?:{keys})\b)", "retriever.", str(first.get("ctx", {}).get("error", first["msg"])))
