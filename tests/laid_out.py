"""A package with entry points, as an installer lays it out; nothing is installed."""

from __future__ import annotations

from pathlib import Path


def laid_out(site: Path, package: str, group: str, entry: str, sources: Path | None = None) -> None:
    """Write what an installer would into a folder that is to stand on the path.

    Args:
        site: The folder.
        package: Its name.
        group: Of entry points.
        entry: The entry point, ``name = module:object``.
        sources: Folder of its modules, copied; None where the caller writes them.
    """
    if sources is not None:
        (site / package).mkdir(parents=True)
        for path in sources.glob("*.py"):
            (site / package / path.name).write_bytes(path.read_bytes())
    info = site / f"{package}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
