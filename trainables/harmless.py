"""Text that somebody else may have written, as it can be shown: nothing in it steers a terminal."""

from __future__ import annotations

import re

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters but for ends of lines and tabs, and those that turn the direction of writing."""


def harmless(text: str) -> str:
    """``text`` with what steers a terminal written out, ``\\x1b`` say."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
