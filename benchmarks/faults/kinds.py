"""Kinds of faults."""

from __future__ import annotations

#: At a write: the process is killed before it, in what is not yet in place, or in the file itself; no space is left.
DISK = ("killed", "torn beside", "torn in place", "full disk")
#: On the line: the process is killed at an exchange; a cell is lost, answered twice, or late; all answers come in another order.
LINE = ("killed at an exchange", "lost cell", "doubled cell", "other order")
#: After an attempt that did not end: a file that was written last is cut, emptied, or has a bit flipped.
REST = ("cut file", "emptied file", "flipped bit")
