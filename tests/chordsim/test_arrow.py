"""Columns made from memory are those that pyarrow itself makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from chordsim import arrow


@pytest.mark.parametrize(
    "values",
    [
        np.arange(17),
        np.arange(9, dtype=np.int32)[::2],
        np.linspace(-1, 1, 5),
        np.array([np.nan, np.inf, 0.0]),
        np.zeros(0),
        np.array([True, False, True] * 3),
        np.array(["low", "", "höher"]),
        np.array(["a", "b"], object),
    ],
    ids=str,
)
def test_a_column_is_what_pyarrow_makes_of_it(values: npt.NDArray[Any]) -> None:
    made = arrow.column(values)
    made.validate(full=True)
    wanted = pa.array(values)
    assert made.type == wanted.type and made.null_count == 0
    np.testing.assert_array_equal(made.to_numpy(zero_copy_only=False), wanted.to_numpy(zero_copy_only=False))


@pytest.mark.parametrize("count", [0, 1, 8, 13])
def test_nulls_are_where_they_are_said_to_be(count: int) -> None:
    values, null = np.arange(count), np.arange(count) % 3 == 1
    made = arrow.column(values, null)
    made.validate(full=True)
    assert made.equals(pa.array(values, mask=null)) and arrow.column(values, np.zeros(count, np.bool_)).null_count == 0


def test_texts_and_bytes_are_what_pyarrow_makes_of_them() -> None:
    for made, wanted in (
        (arrow.texts(["x", "", "größer"]), pa.array(["x", "", "größer"])),
        (arrow.texts(()), pa.array([], pa.string())),
        (arrow.binaries([b"\x00\xff", b""]), pa.array([b"\x00\xff", b""])),
    ):
        made.validate(full=True)
        assert made.equals(wanted)
