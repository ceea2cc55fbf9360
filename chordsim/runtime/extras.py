"""The runtimes that a program can be made for: what each needs installed, and one line where it is not."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from chordsim.errors import UserError

Runtime = Literal["executorch", "onnx"]
#: What must be importable for each runtime; the extra of the same name installs it.
_NEEDED: dict[Runtime, tuple[str, ...]] = {"executorch": ("executorch", "torchao"), "onnx": ("onnx", "onnxscript", "onnxruntime")}
RUNTIMES: tuple[Runtime, ...] = tuple(_NEEDED)


def missing(runtime: Runtime) -> tuple[str, ...]:
    """Return the packages of a runtime that are not installed."""
    return tuple(name for name in _NEEDED[runtime] if find_spec(name) is None)


def need(runtime: Runtime) -> None:
    """Make sure that a runtime is installed.

    Raises:
        UserError: It is not; the text says what to install.
    """
    lacking = missing(runtime)
    if lacking:
        raise UserError(f"--to {runtime} needs {', '.join(lacking)}, not installed here: pip install 'chordsim[{runtime}]'")


def versions(runtime: Runtime) -> dict[str, str]:
    """Return the versions of what a runtime's programs are made and run with."""
    out = {}
    for name in (*_NEEDED[runtime], "torch"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "unknown"
    return out
