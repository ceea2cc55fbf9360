"""Who imports whom, held against the table of docs/architecture.md: no room looks up, no circles, nothing by its name in a string."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("chordsim", "server", "clients")
#: Where halves and nets are loaded by name, the apps that Flower names by string too, and anybody's own client app.
LOADERS = ("chordsim/methods/discovery.py", "chordsim/nets/spec.py", "chordsim/engine/node.py", "chordsim/flower/workers.py")

#: The two apps; the group of entry points, which has the name of the room; the nets of the backbones that ship.
ALLOWED = {
    "chordsim.engine.start": {"server.app:app", "clients.app:app"},
    "chordsim.methods.discovery": {"chordsim.methods"},
    "chordsim.metrics.spec": {"chordsim.metrics"},
    "chordsim.nets.shipped": {"chordsim.nets.sasrec", "chordsim.nets.caser", "chordsim.nets.gru4rec"},
}


@lru_cache(maxsize=1)
def modules() -> dict[str, Path]:
    """Return every module by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@lru_cache(maxsize=1)
def imports() -> dict[str, set[str]]:
    """Return which modules each one imports, inside functions and for types too."""
    return {name: set(_imported(path)) for name, path in modules().items()}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from room import module` imports the module; other names come from the room's own file.
            yield from inner & set(modules())
            if node.module in modules() and inner - set(modules()):
                yield node.module


def is_method_room(module: str) -> bool:
    parts = module.split(".")
    return parts[:2] == ["chordsim", "methods"] and len(parts) > 2 and (ROOT / "chordsim" / "methods" / parts[2]).is_dir()


def room(module: str) -> str:
    """Return the room of the docs' table that a module stands in."""
    if is_method_room(module):
        return "chordsim.methods.NAME"
    parts = module.split(".")
    return parts[0] if parts[0] in ("server", "clients") else ".".join(parts[:2])


@lru_cache(maxsize=1)
def floors() -> dict[str, int]:
    """Return each room's floor, from the ground up, as the docs tell it."""
    text = (ROOT / "docs" / "architecture.md").read_text().split("<!-- rooms: from the ground up -->")[1]
    rows = [line for line in text.split("\n\n")[1].splitlines() if line.startswith("| `")]
    return {name: floor for floor, row in enumerate(rows) for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}


def test_the_table_names_every_room_and_no_other() -> None:
    assert {room(module) for module in modules()} == set(floors())


def test_no_room_imports_one_above_it() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in imports().items()
        for other in others
        if floors()[room(other)] > floors()[room(module)]
    ]
    assert upward == []


def test_both_sides_keep_apart_and_of_a_method_each_half_knows_its_own() -> None:
    strays = []
    for module, others in imports().items():
        if module.split(".")[0] in ("server", "clients"):
            other_side = {"server": "clients", "clients": "server"}[module.split(".")[0]]
            strays += [f"{module} imports {o}" for o in others if o.split(".")[0] == other_side or o.startswith("chordsim.cli")]
            continue
        leaf = module.rsplit(".", 1)[1] if "." in module else module
        own = {"cloud": "server", "device": "clients"}.get(leaf) if is_method_room(module) else None
        strays += [f"{module} imports {o}" for o in others if o.split(".")[0] in ("server", "clients") and o.split(".")[0] != own]
    assert strays == []


def test_there_are_no_circles_of_imports() -> None:
    graph, index, low, stack, circles = imports(), {}, {}, [], []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph[module] - {module}:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            circle = [stack.pop()]
            while circle[-1] != module:
                circle.append(stack.pop())
            circles.extend([sorted(circle)] if len(circle) > 1 else [])

    for module in graph:
        if module not in index:
            visit(module)
    assert circles == []


def test_nothing_is_imported_by_a_string_but_plug_ins_and_the_two_apps() -> None:
    found = []
    for path in modules().values():
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                text = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if called.endswith(("import_module", "__import__")) and where not in LOADERS:
                    found.append(f"{where}:{node.lineno} {called}")
                if called.endswith(("methods.load", "contract.load")) and text:
                    found.append(f"{where}:{node.lineno} loads {text[0]}")
    assert found == []


def test_a_string_that_names_a_module_stands_in_a_spec_or_names_an_app() -> None:
    found = []
    for name, path in modules().items():
        tree = ast.parse(path.read_text())
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in said]
        named = {text for text in texts if text.partition(":")[0] in modules() and "." in text}
        if is_method_room(name) and name.endswith(".spec"):
            # What discovery loads: a half of this room, or of one that it builds upon.
            named = {text for text in named if not re.fullmatch(r"chordsim\.methods(\.\w+)+\.(cloud|device):\w+", text)}
        found += [f"{name}: {text}" for text in sorted(named - ALLOWED.get(name, set()))]
    assert found == []


def test_the_contract_and_every_spec_are_read_without_either_side() -> None:
    specs = [name for name in modules() if is_method_room(name) and name.endswith(".spec")]
    assert len(specs) > 15
    code = f"import sys, chordsim.methods, {', '.join(specs)}\nprint(sorted({{'server', 'clients', 'flwr', 'ray'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
#: What pages name in passing: a file that a deployment writes.
MADE = {"chordsim/authority.pem"}


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text()
    named = set(re.findall(r"(?<![\w./-])(?:chordsim|server|clients|tests|docs|examples|benchmarks)/[\w/.-]*(?:\.\w+|/(?=`))", text))
    assert sorted(name for name in named - MADE if not (ROOT / name).exists()) == []


def test_tests_lie_where_the_packages_lie() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    mirrored = {folder for folder in folders if folder.parts[0] in PACKAGES}
    assert len(mirrored) > 15 and [str(folder) for folder in mirrored if not (ROOT / folder).is_dir()] == []
