"""The step from a study to the same study with more budget or other ranges: whole, or as if it had not been begun.

Study file, manifest and database change together. The new database is finished beside the old one; then what is to
become of all three is written down, at once. From there on whoever opens the study completes what was decided.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from analysis.layout import StudyPaths, finite, write_atomically, write_json
from analysis.written import written
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.search.rebuild import Outside, rebuild

EXTENSIONS, RANGES = "extensions", "space_before"
"""Keys of the manifest: one record an extension, and in it the space that it replaced, if it did."""


def extend_folder(paths: StudyPaths, config: StudyConfig, space: SearchSpace) -> list[Outside]:
    """Make the study in ``paths`` what ``config`` says; the trials that its space leaves out.

    Only budget, space and recipes may differ, and nothing may run.
    """
    manifest = written(paths.manifest)
    searched = json.loads(json.dumps(finite(space.to_json())))
    changed = searched != manifest["space"]
    outside = rebuild(paths, config, space) if changed else []
    record = {
        "time": time.time(),
        "budget_before": manifest["budget"],
        **({RANGES: manifest["space"], "outside": [left._asdict() for left in outside]} if changed else {}),
    }
    replaced = {"budget": config.budget.model_dump(), "space": searched}
    after = manifest | replaced | {EXTENSIONS: [*manifest.get(EXTENSIONS, []), record]}
    write_json(paths.extension, {"study_file": config.to_yaml(), "manifest": after})
    complete(paths)
    return outside


def complete(paths: StudyPaths) -> None:
    """Finish an extension that was decided, however far it came; nothing to do for most studies."""
    if not paths.extension.exists():
        return
    decided = written(paths.extension)
    manifest = decided["manifest"]
    if RANGES in manifest[EXTENSIONS][-1]:
        _swap(paths, change=_changes(manifest))
    write_atomically(paths.study_file, decided["study_file"])
    write_json(paths.manifest, manifest)
    paths.extension.unlink()


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


def _changes(manifest: dict[str, Any]) -> int:
    return sum(RANGES in record for record in manifest[EXTENSIONS])
