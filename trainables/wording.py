"""What messages say of names: which were probably meant, and how many more there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_ALIKE, _SURELY_ALIKE = 0.5, 0.6


def near(name: str, valid: Iterable[str], most: int = 3) -> list[str]:
    """At most ``most`` of ``valid`` that ``name`` may mean: those that begin with it, hold it, or are spelled alike."""
    known = list(dict.fromkeys(valid)) if name else []
    holding = sorted((one for one in known if name in one), key=lambda one: (not one.startswith(name), len(one)))
    cutoff = _SURELY_ALIKE if most == 1 else _ALIKE  # a lone guess had better be right
    alike = difflib.get_close_matches(name, known, n=most, cutoff=cutoff)
    return list(dict.fromkeys([*holding, *alike]))[:most]


def meant(name: str, valid: Iterable[str]) -> str:
    """``did you mean this or that? ``; "" where nothing is near."""
    close = near(name, valid)
    return f"did you mean {' or '.join(close)}? " if close else ""


def more(found: Sequence[object], most: int | None) -> str:
    """`` and 3 more``, of which a line names ``most`` or all; "" where it names each."""
    return f" and {len(found) - most} more" if most is not None and len(found) > most else ""
