"""What may be set: the keys of a study file, and the settings of a trial with their values, meanings and ranges."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis import labels
from search_spaces import ranges
from search_spaces.catalogue import DIMENSIONS
from search_spaces.leaves import deciding, why_not
from study.config import StudyConfig
from study.config.file import WRITTEN_BY_COMMANDS, section_of
from study.early_stopping.rungs import Rule
from trainables import packages
from trainables.catalogue import TRAINABLES, find
from trainables.config import AttackName, TrialConfig, UserError, flatten, weight
from trainables.config.documented import field_docstrings, meanings, plain, section_meanings
from trainables.config.leaves import leaf_choices
from trainables.metrics import HEADLINES

_OF_A_HEAD = "HEAD_head/ATTACK_RADIUS, HEAD_head/ATTACK"
"""How the other accuracies are called that trials measure."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of a study file by its dotted path."""

    key: str
    default: Any
    required: bool
    choices: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a trial by its dotted path, as one configuration has it."""

    setting: str
    value: Any
    choices: tuple[str, ...]
    meaning: str
    has_effect: bool
    """Whether anything depends on it beside the configuration's other settings."""
    dimension: str | None
    """What a study searches it by."""
    range: str | None
    """How far that goes where a study says nothing; ``None``: where the study says it alone."""
    not_searched: str | None
    """Why no study searches it."""


def settings(config: TrialConfig, under: str = "") -> list[Setting]:
    """The settings of ``config``, or those ``under`` a section or a dotted path; ``UserError`` if there are none."""
    found = [_setting(path, value, config) for path, value in flatten(config).items() if _is_under(path, under)]
    if not found:
        raise UserError(f"there are no settings under {under!r}; choose one of {', '.join(section_meanings())}")
    return found


def study_file_keys() -> list[Key]:
    """The keys of a study file, those in sections by their dotted paths."""
    return list(_keys(StudyConfig, "", {}))


def as_data(found: list[Key] | list[Setting]) -> list[dict[str, Any]]:
    """JSON-ready."""
    return [asdict(one) for one in found]


def keys_in_words() -> Group:
    """The trainables, and the keys of a study file."""
    methods = _table("What a study searches", "Trainable", "What it is")
    for trainable in TRAINABLES.values():
        _add(methods, trainable.name, f"{trainable.summary} ({trainable.source})")
    for name, package in packages.brought("trainable").items():
        _add(methods, name, f"of {package}")
    listed = _table("A study file's keys", "Key", "Default", "Meaning")
    for key in study_file_keys():
        default = "required" if key.required else _words(key.key, key.default)
        _add(listed, key.key, default, key.meaning + _one_of(key.choices, key.meaning))
    return Group(methods, listed, "`study settings TRAINABLE` lists what may stand under settings and space.")


def settings_in_words(name: str, found: list[Setting]) -> Group:
    """A table a section of what is ``found`` of the configuration called ``name``."""
    sections = dict.fromkeys(_section(setting) for setting in found)
    tables = [
        _section_table(section, [setting for setting in found if _section(setting) == section]) for section in sections
    ]
    return Group(
        Text(
            f"{name}: what stands under settings in a study file, as --set settings.PATH=VALUE of `study launch` and"
            " --set PATH=VALUE of commands of single trials"
        ),
        *tables,
        "In a study's space a setting goes by the name that it is searched as, and where it has none by its path.",
    )


def _setting(path: str, value: Any, config: TrialConfig) -> Setting:
    dimension = deciding(path)
    default = dimension.default(config) if dimension and dimension.belongs(config) else None
    return Setting(
        setting=path,
        value=value,
        choices=_valid(path, config),
        meaning=meanings()[path if weight(path) is None else path.rpartition(".")[0]],
        has_effect=dimension is None or dimension.belongs(config),
        dimension=None if dimension is None else dimension.name,
        range=ranges.words(dimension, default) if dimension and default is not None else None,
        not_searched=why_not(path),
    )


def _valid(path: str, config: TrialConfig) -> tuple[str, ...]:
    """The words that a setting takes, of those that take no others."""
    if path == "objective.name":
        return find(config.trainable).objectives
    if path == "evaluation.attacks":
        return packages.names("attack", get_args(AttackName))
    return leaf_choices().get(path, ())


def _section(setting: Setting) -> str:
    section, separator, _ = setting.setting.partition(".")
    return section if separator else ""


def _is_under(path: str, under: str) -> bool:
    return not under or path == under or path.startswith(f"{under}.")


def _keys(model: type[BaseModel], prefix: str, without: Mapping[str, Any]) -> Iterator[Key]:
    """``without``: what the keys of a section are in a file that says nothing of it."""
    documented = {**field_docstrings(Rule), **field_docstrings(model)}
    for name, field in model.model_fields.items():
        path, section = prefix + name, section_of(field.annotation)
        if path in WRITTEN_BY_COMMANDS:
            continue
        if section is None:
            yield _key(path, field, without.get(name, field.default), documented[name])
        else:
            default = field.default.model_dump() if isinstance(field.default, BaseModel) else field.default
            yield _key(path, field, default, documented.get(name) or plain(inspect.getdoc(section) or ""))
            yield from _keys(section, f"{path}.", default if isinstance(default, dict) else {})


def _key(path: str, field: FieldInfo, default: Any, meaning: str) -> Key:
    choices = (*HEADLINES, _OF_A_HEAD) if path == "objectives" else _choices(field.annotation)
    default = None if field.is_required() else default
    return Key(key=path, default=default, required=field.is_required(), choices=choices, meaning=meaning)


def _choices(annotation: Any) -> tuple[str, ...]:
    """The words that an annotation allows, also within a list; none where numbers, too, are allowed."""
    if get_origin(annotation) is Literal:
        return tuple(word for word in get_args(annotation) if isinstance(word, str))
    return tuple(word for inner in get_args(annotation) for word in _choices(inner))


def _section_table(section: str, found: list[Setting]) -> Table:
    about = f"{section}: {section_meanings()[section]}" if section else "The trial as a whole"
    table = _table(f"{about}{_never(section)}", "Setting", "Value", "Meaning")
    for setting in found:
        leaf = setting.setting.removeprefix(f"{section}.")
        style = None if setting.has_effect else "dim"
        _add(table, leaf, _words(setting.setting, setting.value), _meaning(section, setting), style=style)
    return table


def _never(section: str) -> str:
    reason = why_not(section) if section else None
    return f" Not searched: {reason}." if reason else ""


def _meaning(section: str, setting: Setting) -> str:
    return "".join(
        (
            setting.meaning,
            _one_of(setting.choices, setting.meaning),
            _searched(setting),
            f" Not searched: {setting.not_searched}." if setting.not_searched and not why_not(section) else "",
            "" if setting.has_effect else " Without effect here.",
        )
    )


def _searched(setting: Setting) -> str:
    if setting.dimension in (None, setting.setting):
        return ""
    dimension = DIMENSIONS[str(setting.dimension)]
    span = f", {setting.range}" if setting.range else ""
    means = f": {dimension.summary}" if dimension.leaf is not None else ""  # another quantity than the setting
    return f" Searched as {dimension.name}{span}{means}."


def _one_of(choices: tuple[str, ...], meaning: str) -> str:
    """Those that ``meaning`` does not name already."""
    return f" One of {', '.join(choices)}." if choices[1:] and any(choice not in meaning for choice in choices) else ""


def _words(path: str, value: Any) -> str:
    """As a study file has it."""
    if isinstance(value, Mapping):  # of a section its keys have their own
        return str(value.get("name", ""))
    return "null" if value is None else labels.param(path, value)


def _add(table: Table, *cells: str, style: str | None = None) -> None:
    """A row of what may have brackets in it, which are no markup here."""
    table.add_row(*map(Text, cells), style=style)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
