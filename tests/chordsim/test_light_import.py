"""`import chordsim` and the command line's help load nothing heavy, so both answer at once."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "flwr", "ray", "pandas", "pyarrow", "matplotlib", "pydantic", "numpy", "safetensors")


def loaded(code: str) -> list[str]:
    """Return which heavy packages a fresh interpreter holds after ``code``."""
    script = f"{code}\nimport json, sys\nprint('\\n' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        "import chordsim",
        "import chordsim; assert 'run' in dir(chordsim) and chordsim.__version__",
        "from chordsim.cli import main; assert main(['--help']) == 0",
        "from chordsim.cli import main; assert main(['run', '--help']) == 0",
        "from chordsim.cli import main; assert main(['data', '--help']) == 0",
        "from chordsim.cli import main; assert main(['rum']) == 2",
        "from chordsim.cli import main; assert main(['--version']) == 0",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded(code) == []


def test_specs_of_all_methods_are_read_without_torch_and_flower() -> None:
    heavy = loaded("from chordsim import methods; [methods.find(name.replace('-k', '-2')) for name in methods.known()]")
    assert not {"torch", "flwr", "ray", "pandas"} & set(heavy)


def test_scenarios_load_without_torch_and_flower() -> None:
    heavy = loaded("from chordsim.scenario.load import load; load('quickstart')")
    assert not {"torch", "flwr", "ray", "pandas"} & set(heavy)


def test_help_is_fast() -> None:
    # Seconds of CPU, not of the wall, so that a busy machine does not fail it; the best of three.
    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "from chordsim.cli import main; main(['--help'])"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_s() for _ in range(3)) < 0.6


def test_unknown_attributes_are_told() -> None:
    import chordsim

    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = chordsim.rum


def test_run_is_the_api() -> None:
    import chordsim
    from chordsim import api

    assert chordsim.run is api.run
