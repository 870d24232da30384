"""What others on the machine see of this process."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_STAT = Path("/proc/self/stat")
_ARG_START, _ARG_END = 48 - 3, 49 - 3  # proc_pid_stat(5), counted from the third field, which follows the name


def hide_secrets() -> None:
    """Take passwords out of this process's command line, which ``ps`` shows to all and Ray keeps in its files.

    Of a system without /proc the line stays as it is. What Python knows of its arguments does not change.
    """
    if not _STAT.exists() or not any("://" in argument for argument in sys.orig_argv):
        return
    from analysis.pages import redact

    shown = [redact(argument) if "://" in argument else argument for argument in sys.orig_argv]
    fields = _STAT.read_text().rpartition(")")[2].split()
    start, length = int(fields[_ARG_START]), int(fields[_ARG_END]) - int(fields[_ARG_START])
    line = "".join(f"{argument}\0" for argument in shown).encode(errors="surrogateescape")
    if start and len(line) <= length:
        ctypes.memmove(start, line.ljust(length, b"\0"), length)
