"""The pages in docs/ that come out of a folder of results."""

from __future__ import annotations

from pathlib import Path

from benchmarks.throughput import performance, scale
from benchmarks.throughput.contest import ROOT
from benchmarks.throughput.results import Results


def write_pages(folder: Path, docs: Path = ROOT / "docs") -> list[Path]:
    """Write performance.md and scale.md and return their paths."""
    results = Results(folder)
    out = []
    for name, text in (("performance.md", performance.page(results)), ("scale.md", scale.page(results))):
        (docs / name).write_text(text)
        out.append(docs / name)
    return out
