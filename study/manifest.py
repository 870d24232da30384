"""``study.json``: what a study is, for whoever reads its results."""

from __future__ import annotations

import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from analysis.layout import StudyPaths
from analysis.pages import redact
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.packages import recorded, versions
from study.resources.allotment import Allotment
from study.resources.needs import hardware
from study.tracking.uri import resolve_uri
from study.versions import FOUNDATIONS, installed
from trainables.metrics import direction

SCHEMA = 1


def describe(
    paths: StudyPaths, config: StudyConfig, space: SearchSpace, allotment: Allotment, data: str
) -> dict[str, Any]:
    """The manifest of a study that begins now; ``data`` describes its images."""
    evaluation = space.parts[0].base.evaluation
    used = recorded(part.base for part in space.parts)
    own = None if config.tracking.offline else config.tracking.uri
    search = described(config) or config.strategy | {"seed": config.seed}
    return {
        "schema": SCHEMA,
        "name": config.name,
        "created": time.time(),
        "objectives": [{"metric": name, "direction": direction(name)} for name in config.objectives],
        **search,
        "trainables": list(space.trainables),
        "space": space.to_json(),
        "evaluation": {"head": evaluation.head, "epsilon": evaluation.epsilon, "split": evaluation.split},
        "data": data,
        "budget": config.budget.model_dump(),
        "resources": allotment.to_json(),
        "environment": environment() | versions(used),
        **used,
        "tracking": {"uri": own and redact(resolve_uri(own, paths))},
    }


def described(config: StudyConfig) -> dict[str, Any]:
    """What a study confirms or measures, in a reader's words; nothing of a search."""
    if config.listed is None:
        return {}
    configurations = [
        {"trial": chosen.trial, "trainable": base.trainable, "params": chosen.params}
        | ({"figures": chosen.figures} if chosen.figures else {})
        for chosen, base in zip(config.listed.configurations, config.listed.configs(), strict=True)
    ]
    facts = config.listed.model_dump(include={"study", "seeds", "best_cases", "lost"}, exclude_defaults=True)
    return {config.kind: facts | {"configurations": configurations}}


def environment() -> dict[str, str | None]:
    """Versions of what computes, the kind of machine, and the code's commit where it is known."""
    versions = {name: installed(name) for name in FOUNDATIONS}
    return {"python": platform.python_version(), **versions, "hardware": hardware(), "git_commit": _commit()}


def _commit() -> str | None:
    """Of the checkout that this file belongs to; ``None`` for an installed package."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
