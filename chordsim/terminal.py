"""Progress in a terminal: bars where a person looks, sparse plain lines where a file does. NO_COLOR is respected."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

#: Width of what is printed into a file or a pipe.
PLAIN_WIDTH = 100
#: Least seconds between two plain lines of one task.
QUIET_S = 10.0
#: What a bar's line takes besides its title and its note: the bar, the count, the time that is left.
_BAR_CHARS = 52


def screen(stream: IO[str] | None = None) -> Console:
    """Return a console on stdout (or ``stream``); 100 columns wide unless it is a terminal or COLUMNS is set."""
    console = Console(file=stream or sys.stdout)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(file=stream or sys.stdout, width=PLAIN_WIDTH)
    return console


class Terminal:
    """`chordsim.progress.Progress` on stderr. Use it as a context manager, so that bars end with the work."""

    def __init__(self, stream: IO[str] | None = None, clock_s: float | None = None) -> None:
        """Prepare.

        Args:
            stream: Where to print; stderr by default.
            clock_s: Least seconds between plain lines; `QUIET_S` by default.
        """
        self._console = screen(stream or sys.stderr)
        self._quiet_s = QUIET_S if clock_s is None else clock_s
        self._stacks = threading.local()
        self._bars = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                _Count(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self._console,
                transient=True,
            )
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    @property
    def _tasks(self) -> list[_Task]:
        """This thread's tasks, the innermost last."""
        if not hasattr(self._stacks, "tasks"):
            self._stacks.tasks = []
        tasks: list[_Task] = self._stacks.tasks
        return tasks

    def start(self, title: str, total: int | None) -> None:
        """Begin a task; one begun within another, or by another thread meanwhile, is shown below it."""
        bar = None if self._bars is None else self._bars.add_task(title, total=total, note="")
        self._tasks.append(_Task(title, total, bar))
        if bar is None:
            self._line(f"{title} ...")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps of the innermost task."""
        if not self._tasks:
            return
        task = self._tasks[-1]
        task.count += steps
        task.note = note or task.note
        if self._bars is not None and task.bar is not None:
            self._bars.update(task.bar, advance=steps, note=_whole_parts(task.note, self._console.width - len(task.title) - _BAR_CHARS))
        elif time.monotonic() - task.told >= self._quiet_s:
            task.told = time.monotonic()
            self._line(f"{task.title}: {_count(task.count, task.total, task.title)}{f', {task.note}' if task.note else ''}")

    def done(self, note: str = "") -> None:
        """End the innermost task with a line that stays."""
        if not self._tasks:
            return
        task = self._tasks.pop()
        if self._bars is not None and task.bar is not None:
            self._bars.remove_task(task.bar)
        said = note or task.note
        self._line(f"{task.title}: {f'{said} ' if said else ''}({time.monotonic() - task.began:.1f} s)")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _whole_parts(note: str, room: int) -> str:
    """Return as many whole parts of a note as fit, so that no figure is cut."""
    parts = note.split(", ")
    while parts and len(", ".join(parts)) > room:
        parts.pop()
    return ", ".join(parts)


class _Task:
    """One task on the stack."""

    def __init__(self, title: str, total: int | None, bar: TaskID | None) -> None:
        self.title, self.total, self.bar = title, total, bar
        self.count, self.note = 0, ""
        self.began = self.told = time.monotonic()


class _Count(ProgressColumn):
    """Steps done of how many; downloads in megabytes."""

    def render(self, task: Task) -> Text:
        """Return the cell."""
        return Text(_count(int(task.completed), None if task.total is None else int(task.total), task.description))


def _count(done: int, total: int | None, title: str) -> str:
    if title.startswith("download"):
        return f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f}/{total / 1e6:.1f} MB"
    return f"{done:,}" if total is None else f"{done:,}/{total:,}"
