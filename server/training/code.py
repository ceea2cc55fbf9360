"""What code a trained state depends on: its method's folder, the shared rooms, and all that these import, read as syntax."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

from chordsim.installed import HOME

_OURS = frozenset(("chordsim", "server", "clients"))
#: Rooms whose every file counts, for every state.
_SHARED = ("server/training", "chordsim/nets", "chordsim/quant")
_METHODS = "chordsim.methods."
#: The front door names everything and decides nothing.
_FRONT_DOOR = "chordsim"


@lru_cache
def code_of(kind: type, *others: str) -> str:
    """Return the hash of the code that decides what an object of this class trains.

    It covers, as syntax without comments and docstrings,

    - every file of the shared rooms: `server/training`, `chordsim/nets` and `chordsim/quant`;
    - every file of the folder in which the class lies, and of the folders of classes that it builds upon;
    - the modules ``others``, such as those of a backbone from another package;
    - whatever these rooms, classes and modules import, directly or not, inside functions too: of chordsim, of the class's own package,
      and of code on the path that is not installed. Where that leads into a method's room, the whole room counts.

    Installed packages do not count; torch and numpy have their versions in the key. A file is read once in a process, soon
    after its code was loaded, so that an edit during a run is seen by the next run alone.

    Args:
        kind: The class whose ``train`` is called. One without a file, made in an interpreter, adds nothing of its own.
        others: Dotted modules that it works with, and does not import.
    """
    modules = [*(base.__module__ for base in kind.__mro__), *others]
    own = frozenset(module.partition(".")[0] for module in modules)
    reached: dict[str, Path] = {}
    waiting = [*modules, *(_dotted(path) for folder in _SHARED for path in (HOME / folder).rglob("*.py"))]
    while waiting:
        module = waiting.pop()
        path = None if module == _FRONT_DOOR or module in reached else _file(module, own)
        if path is not None:
            reached[module] = path
            waiting += _read(path, module).imports
    counted = dict(reached)
    for module, path in reached.items():
        if module in modules or module.startswith(_METHODS):
            counted |= _folder(module, path)
    total = hashlib.sha256()
    for module in sorted(counted):
        total.update(f"{module} {_read(counted[module], module).syntax}\n".encode())
    return total.hexdigest()


def _dotted(path: Path) -> str:
    """Return the module of a file of ours."""
    parts = path.relative_to(HOME).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _folder(module: str, path: Path) -> dict[str, Path]:
    """Return the files that lie in a module's folder and below by their modules; one that is in no package lies alone."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    if not package or package + "." == _METHODS or package == "server":
        return {}
    found = {}
    for file in path.parent.rglob("*.py"):
        parts = file.relative_to(path.parent).with_suffix("").parts
        found[".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = file
    return found


@lru_cache
def _file(module: str, own: frozenset[str]) -> Path | None:
    """Return the source of a module whose edits count; None for what is installed, built in, or no module."""
    top, *inner = module.split(".")
    root = HOME if top in _OURS else _root(top, top in own)
    if root is None:
        return None
    stem = root.joinpath(top, *inner)
    return next((path for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")) if path.is_file()), None)


@lru_cache
def _root(top: str, own: bool) -> Path | None:
    """Return the folder that holds a package or module of somebody else's, if its edits count."""
    if top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # made in an interpreter
        return None
    where = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else ())] if spec else []
    if not where:
        return None
    root = Path(where[0]).parent
    return root if own or not {"site-packages", "dist-packages"} & set(root.parts) else None


@dataclass(frozen=True)
class _Read:
    """What was read of a file.

    Attributes:
        imports: The names that it may import, with the packages that these lie in.
        syntax: The hash of its syntax, docstrings left out; comments and blank lines are no part of it.
    """

    imports: tuple[str, ...]
    syntax: str


_READ: dict[Path, _Read] = {}
#: Trainings ask side by side, and Python 3.11 cannot make syntax trees in two threads at once (python/cpython#106905).
_ONE_AT_A_TIME = Lock()


def _read(path: Path, module: str) -> _Read:
    """Read a file, once in a process; one that is no Python counts by its bytes."""
    with _ONE_AT_A_TIME:
        return _read_once(path, module)


def _read_once(path: Path, module: str) -> _Read:
    if path not in _READ:
        data = path.read_bytes()
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            _READ[path] = _Read((), hashlib.sha256(data).hexdigest())
        else:
            names = {parent for name in _imports(tree, module, path.name == "__init__.py") for parent in _with_parents(name)}
            _READ[path] = _Read(tuple(names), hashlib.sha256(_undocumented(tree).encode()).hexdigest())
    return _READ[path]


def _imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[str]:
    """Yield all names that are imported anywhere in a file; each may be a module or something in one."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join([*above, *([node.module] if node.module else []), alias.name]) for alias in node.names)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def _undocumented(tree: ast.Module) -> str:
    """Return a file's syntax as text, without docstrings; the tree is cut."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node, clean=False) is not None :]
    return ast.dump(tree)
