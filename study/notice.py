"""Word of how a study ended, to whom it was asked to go: a study runs for days, and nobody watches.

What is sent says nothing that ``study status`` does not. Who sends it holds no library; neither does this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

from analysis.layout import StudyPaths, ending

NOTIFY = "ROBUST_SSL_NOTIFY"
"""The variable that holds a shell's command, which is given the words on its standard input."""
PATIENCE_S = 60.0


def send(paths: StudyPaths, code: int) -> str | None:
    """Tell that the last process of the study has left it with that exit ``code``; why that failed, if it did.

    Nothing is sent where nobody asked for it.
    """
    command = os.environ.get(NOTIFY)
    if not command:
        return None
    try:
        sent = subprocess.run(  # noqa: S602 - it is the user's own command, who may use pipes and quotes
            command, shell=True, input=words(paths, code), text=True, stdout=sys.stderr, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return f"{NOTIFY}: {command} did not end within {PATIENCE_S:g} s, and perhaps told nobody"
    return f"{NOTIFY}: {command} ended with exit code {sent.returncode}" if sent.returncode else None


def words(paths: StudyPaths, code: int) -> str:
    """``first has ended: 60 trials, 51 finished, 9 stopped``, and how to go on."""
    ends = [ending(trial) for trial in paths.each_trial()]
    counts = Counter("not ended" if end is None else str(end["status"]) for end in ends)
    trials = ", ".join([f"{len(ends)} trial{'s' * (len(ends) != 1)}", *(f"{n} {how}" for how, n in counts.items())])
    if code == 0 and paths.stop.exists():
        return f"{paths.name} was stopped: {trials}.\nstudy resume {paths.name}\n"
    if code == 0:
        return f"{paths.name} has ended: {trials}.\nstudy front {paths.name}\n"
    return (
        f"{paths.name} does not go on (exit code {code}): {trials}.\n"
        f"Its last words say why; when that is mended: study resume {paths.name}\n"
    )
