"""The rules of the house, read from the source: where randomness comes from, who may load Flower, what is left out."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("chordsim", "server", "clients")
FLOWER_DOORS = ("chordsim/engine/", "chordsim/flower/", "chordsim/methods/fedavg/", "server/app.py", "clients/app.py")

#: torch functions and tensor methods that draw from a generator, the global one unless told otherwise.
DRAWS = {"rand", "randn", "randint", "randperm", "bernoulli", "multinomial", "normal", "poisson"}
DRAWS_IN_PLACE = {"uniform_", "normal_", "bernoulli_", "random_", "exponential_", "cauchy_", "log_normal_", "geometric_"}
INITS = {"xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "trunc_normal_", "orthogonal_", "sparse_"}
#: Always the global generator, whatever the arguments.
GLOBAL = {"manual_seed", "seed", "rand_like", "randn_like", "randint_like", "dropout", "Dropout", "AlphaDropout", "set_rng_state"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts]
    assert found
    return sorted(found)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every import anywhere in a file, those inside functions and for types included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno}: relative import; write the whole name"
            yield node.lineno, node.module or ""


def loaded_at_once(path: Path) -> Iterator[str]:
    """Yield what a file imports when it is loaded itself."""
    for node in tree(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def breaches(path: Path, forbidden: set[str]) -> list[str]:
    return [f"{name(path)}:{line} imports {module}" for line, module in imports(path) if module.partition(".")[0] in forbidden]


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def random_calls(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, what) of every use of randomness that is not handed its generator."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            inner = [] if isinstance(node, ast.Import) else [f"{node.module}.{alias.name}" for alias in node.names]
            for found in [*names, *inner]:
                if found.split(".")[0] in ("random", "secrets") or found in ("numpy.random", "torch.random"):
                    yield node.lineno, f"import {found}"
        elif isinstance(node, ast.Attribute):
            text = dotted(node)
            # The class may stand in a signature; to make one is the business of seeds.py.
            if text.startswith(("np.random.", "numpy.random.", "torch.random.")) and text != "np.random.Generator":
                yield node.lineno, text
        if isinstance(node, ast.Call):
            text = dotted(node.func)
            last = text.rpartition(".")[2]
            given = any(keyword.arg == "generator" for keyword in node.keywords)
            from_torch = text.startswith(("torch.", "nn.", "F."))
            if text == "np.random.Generator" or (from_torch and last in GLOBAL):
                yield node.lineno, text
            elif not given and ((from_torch and last in DRAWS) or last in INITS or last in DRAWS_IN_PLACE):
                yield node.lineno, text


def test_only_the_doors_import_flower_and_ray() -> None:
    inside = [path for path in sources(*PACKAGES) if not name(path).startswith(FLOWER_DOORS)]
    assert [breach for path in inside for breach in breaches(path, {"flwr", "ray"})] == []


def test_randomness_comes_from_seeds() -> None:
    elsewhere = [path for path in sources(*PACKAGES) if name(path) != "chordsim/seeds.py"]
    assert [f"{name(path)}:{line}: {what}" for path in elsewhere for line, what in random_calls(tree(path))] == []


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from random import choice",
        "from numpy import random",
        "import numpy.random",
        "np.random.default_rng(3)",
        "np.random.Generator(x)",
        "torch.manual_seed(1)",
        "torch.randn(3)",
        "torch.randint(3, (2,))",
        "torch.rand_like(x)",
        "x.bernoulli_(0.5)",
        "nn.init.normal_(x)",
        "nn.init.xavier_uniform_(x)",
        "nn.Dropout(0.1)",
        "F.dropout(x)",
        "def f():\n    import secrets",
    ],
)
def test_the_check_for_randomness_sees(text: str) -> None:
    assert list(random_calls(ast.parse(text)))


@pytest.mark.parametrize(
    "text", ["def f(r: np.random.Generator): ...", "torch.randn(3, generator=g)", "nn.init.normal_(x, generator=g)", "g.normal(3)"]
)
def test_the_check_for_randomness_lets_pass(text: str) -> None:
    assert not list(random_calls(ast.parse(text)))


def test_nothing_runs_or_unpickles_what_it_reads() -> None:
    pickles = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
    calls = {"eval", "exec", "compile", "torch.load", "torch.save", "os.system"}
    found = [breach for path in sources(*PACKAGES) for breach in breaches(path, pickles)]
    for path in sources(*PACKAGES):
        nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and dotted(node.func) in calls]
        found += [f"{name(path)}:{node.lineno} calls {dotted(node.func)}" for node in nodes]
    assert found == []


def test_no_bare_except_and_nothing_left_to_do() -> None:
    found = []
    for path in sources(*PACKAGES):
        handlers = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler) and node.type is None]
        found += [f"{name(path)}:{node.lineno}: bare except" for node in handlers]
        found += [f"{name(path)}: {word}" for word in ("TODO", "FIXME", "XXX") if word in path.read_text()]
    assert found == []


def test_a_file_says_on_its_first_line_what_it_is_for() -> None:
    first = {name(path): path.read_text().partition("\n")[0] for path in sources(*PACKAGES, "tests")}
    assert {path: line for path, line in first.items() if not line.startswith('"""') or len(line) < 20} == {}


def test_files_are_named_for_what_they_hold() -> None:
    paths = sources(*PACKAGES, "tests")
    assert [name(path) for path in paths if path.stem in ("utils", "helpers", "misc")] == []


def test_scenarios_begin_with_their_question() -> None:
    found = sorted((ROOT / "scenarios").glob("*.toml"))
    assert found
    for path in found:
        first = path.read_text().partition("\n")[0]
        assert first.startswith("# ") and first.endswith("?"), f"{path.name}: begins with {first!r}"


def test_cloud_only_is_no_special_case() -> None:
    """The method without a model on the phone is known in its own room, and nowhere in what carries methods."""
    texts = {name(path): path.read_text().lower() for path in sources(*PACKAGES)}
    found = {path for path, text in texts.items() if any(w in text for w in ("cloud-only", "cloud_only", "cloudonly"))}
    assert {path for path in found if not path.startswith("chordsim/methods/cloud_only/")} == set()
    assert "chordsim/methods/cloud_only/spec.py" in found


def test_no_data_set_or_build_output_is_kept() -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    endings = (".pyc", ".gz", ".zip", ".parquet", ".pkl", ".pt", ".whl", ".safetensors")
    assert [f for f in listed.stdout.split("\0") if f.endswith(endings)] == []


def test_every_package_that_is_imported_is_declared_and_the_other_way_round() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(text for extra, texts in project["optional-dependencies"].items() if extra != "dev" for text in texts),
    ]
    modules = {re.split(r"[\[<>=!~ ]", text)[0].replace("-", "_") for text in declared}
    used = {module.partition(".")[0] for path in sources(*PACKAGES) for _, module in imports(path)}
    third_party = used - set(sys.stdlib_module_names) - set(PACKAGES)
    # ray is pinned by flwr[simulation], datasets comes with flwr-datasets; torch's exporter imports onnxscript.
    assert third_party - {"ray", "datasets"} == modules - {"onnxscript"}
    extras = {"executorch", "onnx", "onnxruntime", "torchao"}
    at_once = {module.partition(".")[0] for path in sources(*PACKAGES) for module in loaded_at_once(path)}
    assert at_once & extras == set(), "an extra is imported where it is used, inside a function"


def test_every_dependency_is_bounded_and_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text()
    for text in [*project["dependencies"], *(text for texts in project["optional-dependencies"].values() for text in texts)]:
        package = re.split(r"[\[<>=!~ ]", text)[0]
        assert ">=" in text and ",<" in text, f"{text}: give it a lower and an upper bound"
        assert f"| {package}" in page, f"docs/dependencies.md does not say why {package} is there"
