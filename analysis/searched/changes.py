"""What an extended study searched, and how, before it was changed: the record that its manifest keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from analysis import constraints, labels
from analysis.reading.manifest import records
from analysis.searched.dimensions import held_of, parameters_of, searched_words

EXTENSIONS, FROM = "extensions", "from_trial"
"""Keys of a manifest: one record an extension; and in it the number from which trials are searched as it says."""
PARTS = ("space", "sampler", "scheduler", "constraints")
"""What an extension may change of a search."""


def before(part: str) -> str:
    """The key of a record under which stands what it replaced."""
    return f"{part}_before"


class Change(NamedTuple):
    """``trial``: the first that was drawn after it, ``None`` where that was not recorded; trials that had not ended are
    stopped early by the rules after it, too. ``parts``: of ``PARTS`` what was before, and after."""

    trial: int | None
    parts: dict[str, tuple[Any, Any]]

    @property
    def since(self) -> str:
        return "later" if self.trial is None else f"from trial {labels.trial_number(self.trial)}"


def changes(manifest: Mapping[str, Any]) -> list[Change]:
    """What extensions changed of the search, oldest first."""
    found, after = [], {part: manifest.get(part) for part in PARTS}
    for record in reversed(records(manifest.get(EXTENSIONS))):
        parts = {part: (record[before(part)], after[part]) for part in PARTS if before(part) in record}
        after |= {part: old for part, (old, _) in parts.items()}
        trial = record.get(FROM)
        found += [Change(trial if isinstance(trial, int) else None, parts)] if parts else []
    return found[::-1]


def told(manifest: Mapping[str, Any]) -> str:
    """``from trial 0012 sampler: gp (before: tpe); other ranges``: every change; "" if there was none."""
    return ". ".join(f"{change.since} {'; '.join(in_words(change))}" for change in changes(manifest))


def in_words(change: Change) -> Iterator[str]:
    """``sampler: gp (before: tpe)``, for each part."""
    for part, (old, new) in change.parts.items():
        if part == "space":
            yield from _ranges(old, new)
        else:
            yield now_and_before(part, _written(part, new, old), _written(part, old, new))


def now_and_before(name: str, new: str, old: str) -> str:
    """``crops: 4 to 40 (before: 4 to 24)``, whatever commas either has."""
    return f"{name}: {new} (before: {old})"


def _ranges(old: Any, new: Any) -> Iterator[str]:
    """``crops: 4 to 40 (before: 4 to 24)``, of each range that is another; that there are such where no words tell
    them apart."""
    searched = [*parameters_of(old), *parameters_of(new)]
    held = [name for name in (*held_of(old), *held_of(new)) if not any(_is_of(known, name) for known in searched)]
    names = dict.fromkeys([*searched, *held])
    found = ((name, searched_words(new, name), searched_words(old, name)) for name in names)
    others = [now_and_before(name, now, then) for name, now, then in found if now != then]
    yield from others or ["other ranges"]


def _is_of(parameter: str, dimension: str) -> bool:
    return parameter == dimension or parameter.endswith(f".{dimension}")


def over_time(manifest: Mapping[str, Any], part: str) -> str:
    """``tpe, then from trial 0012: gp``: what ``part`` was and became, whatever commas either has; "" where it is not
    known."""
    made = [(change.since, *change.parts[part]) for change in changes(manifest) if part in change.parts]
    first, *_ = [*((old, new) for _, old, new in made), (manifest.get(part), None)]
    return ", ".join(
        [_written(part, *first), *(f"then {since}: {_written(part, new, old)}" for since, old, new in made)]
    )


def _written(part: str, value: Any, other: Any) -> str:
    """``value`` in words, of a scheduler that keeps its name the numbers in which it differs from ``other``, too."""
    if part == "constraints":
        return constraints.words(constraints.readable(value)) or "none"
    if part == "sampler":
        return labels.sampler(value)
    if part != "scheduler" or not isinstance(value, Mapping):
        return "" if value is None else str(value)
    alike = isinstance(other, Mapping) and other.get("name") == value.get("name")
    numbers = [f"{key} {number}" for key, number in value.items() if alike and number != other.get(key)]
    return " ".join([str(value.get("name")), *([f"({', '.join(numbers)})"] if numbers else [])])
