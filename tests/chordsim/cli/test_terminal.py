"""Progress is bars for a person and sparse plain lines for a file, without colour where none is wanted."""

from __future__ import annotations

import io

import pytest

from chordsim.progress import Progress
from chordsim.terminal import PLAIN_WIDTH, Terminal, screen


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def work(progress: Progress, steps: int = 50) -> None:
    progress.start("train fp32", steps)
    for step in range(steps):
        progress.advance(1, f"loss {step}")
    progress.done("best 0.5")


def test_plain_lines_are_few_and_have_no_escapes() -> None:
    stream = io.StringIO()
    with Terminal(stream) as terminal:
        work(terminal)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and "\x1b" not in stream.getvalue()
    assert lines[0] == "train fp32 ..." and lines[1].startswith("train fp32: best 0.5 (")


def test_long_work_is_told_now_and_then() -> None:
    stream = io.StringIO()
    with Terminal(stream, clock_s=0.0) as terminal:
        work(terminal, 3)
    assert "train fp32: 2/3, loss 1" in stream.getvalue().splitlines()


def test_downloads_are_told_in_megabytes() -> None:
    stream = io.StringIO()
    with Terminal(stream, clock_s=0.0) as terminal:
        terminal.start("download ml-100k.zip", 4_900_000)
        terminal.advance(2_000_000)
        terminal.start("download other", None)
        terminal.advance(1_000_000)
        terminal.done()
        terminal.done()
    assert "download ml-100k.zip: 2.0/4.9 MB" in stream.getvalue() and "download other: 1.0 MB" in stream.getvalue()


def test_a_terminal_gets_bars_that_go_and_lines_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Tty()
    with Terminal(stream) as terminal:
        work(terminal)
    assert "\x1b[" in stream.getvalue() and "train fp32: best 0.5" in stream.getvalue()


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Tty()
    with Terminal(stream) as terminal:
        work(terminal)
    assert "\x1b[3" not in stream.getvalue() and "\x1b[9" not in stream.getvalue()


def test_markup_in_notes_is_text() -> None:
    stream = io.StringIO()
    with Terminal(stream) as terminal:
        terminal.start("[red]x", None)
        terminal.done("[/]")
    assert "[red]x: [/]" in stream.getvalue()


def test_calls_out_of_order_do_no_harm() -> None:
    with Terminal(io.StringIO()) as terminal:
        terminal.advance()
        terminal.done()


def test_files_get_a_fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert screen(io.StringIO()).width == PLAIN_WIDTH
    monkeypatch.setenv("COLUMNS", "77")
    assert screen(io.StringIO()).width == 77
