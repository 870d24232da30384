"""The step from a study to the same study with more budget or another search: whole, or as if it had not been begun.

Study file, manifest and database change together. The new database is finished beside the old one; then what is to
become of all three is written down, at once. From there on whoever opens the study completes what was decided.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.layout import StudyPaths, finite, write_atomically, write_json
from analysis.reading.written import written
from analysis.searched.changes import EXTENSIONS, FROM, PARTS, before
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.config.stored import load_stored
from study.files import covered
from study.search.rebuild import Outside, rebuild


def extend_folder(paths: StudyPaths, config: StudyConfig, space: SearchSpace) -> list[Outside]:
    """Make the study in ``paths`` what ``config`` says; where it searches another space, the trials that this leaves
    out.

    Only budget, resources, recipes and ``changes.PARTS`` may differ, and nothing may run.
    """
    manifest = written(paths.manifest)
    asked = {"space": json.loads(json.dumps(finite(space.to_json()))), **config.strategy}
    known = load_stored(paths).strategy | {"space": manifest["space"]}
    changed = {part: asked[part] for part in PARTS if asked[part] != known[part]}
    covered.forget(paths)
    outside = rebuild(paths, config, space) if changed else []
    record = {
        "time": time.time(),
        "budget_before": manifest["budget"],
        **({FROM: _next_trial(paths)} if changed else {}),
        **{before(part): known[part] for part in changed},
        **({"outside": [left._asdict() for left in outside]} if "space" in changed else {}),
    }
    replaced = {"budget": config.budget.model_dump(), **changed}
    after = manifest | replaced | {EXTENSIONS: [*manifest.get(EXTENSIONS, []), record]}
    write_json(paths.extension, {"study_file": config.to_yaml(), "manifest": after})
    complete(paths)
    return outside if "space" in changed else []


def complete(paths: StudyPaths) -> None:
    """Finish an extension that was decided, however far it came; nothing to do for most studies."""
    if not paths.extension.exists():
        return
    decided = written(paths.extension)
    manifest = decided["manifest"]
    if _is_change(manifest[EXTENSIONS][-1]):
        _swap(paths, change=sum(map(_is_change, manifest[EXTENSIONS])))
    write_atomically(paths.study_file, decided["study_file"])
    write_json(paths.manifest, manifest)
    paths.extension.unlink()


def _next_trial(paths: StudyPaths) -> int:
    return max((trial.number for trial in paths.each_trial()), default=-1) + 1


def _is_change(record: Mapping[str, Any]) -> bool:
    """Of the search, for which its database was made anew; the budget is none."""
    return any(before(part) in record for part in PARTS)


def _swap(paths: StudyPaths, change: int) -> None:
    """The new database takes the old one's place, which is kept; done before, if there is no new one."""
    if not paths.optuna_next.exists():
        return
    _copy(paths.optuna, paths.optuna_before(change))
    paths.optuna_next.replace(paths.optuna)


def _copy(source: Path, target: Path) -> None:
    partial = target.with_suffix(".part")
    shutil.copyfile(source, partial)
    partial.replace(target)
