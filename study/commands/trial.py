"""One trial on one page, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from study.commands.show import paths_of, print_rich, standing

if TYPE_CHECKING:
    from analysis.reading.runs import Study


def show_trial(name: str, *, json: bool) -> None:
    """``STUDY/NUMBER``; ``UserError`` where that names no trial."""
    from analysis.progress.running import running
    from analysis.reading.written import find_trial
    from analysis.tables.trial_page import trial_page

    paths_of(name.partition("/")[0])
    paths, folder = find_trial(name)
    study = standing(paths.name)
    page = trial_page(study, folder)
    if json:
        typer.echo(page.json())
        return
    typer.echo(f"Trial {page.trial['id']}")
    width = max(len(title) for title, _ in page.facts)
    for title, text in page.facts:
        typer.echo(f"{title:<{width}}  {text}")
    for table in page.tables():
        print_rich(table.rich())
    alone = replace(study, trials=study.trials[study.trials["number"] == folder.number])
    for one in running(alone, paths):
        typer.echo(one.line(time.time()))
    for what, command in _next_steps(study, page.trial):
        typer.echo(f"{what}: study {command}")


def _next_steps(study: Study, known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What can be done with a trial of which that is ``known``, and the command for it."""
    from analysis.frontier.measured import searches
    from analysis.labels import is_flagged
    from analysis.reading.manifest import is_replay

    number, status, trained = known["number"], known["status"], not is_replay(study.manifest)
    name, trial = study.name, f"{study.name}/{number}"
    if status == "running":
        yield "End it", f"stop {trial}"
    elif status == "interrupted":
        yield "Go on with it", f"resume {name}"
    elif known.get("excluded"):
        yield "Take it in again", f"exclude {trial} --undo"
    elif status != "finished" and searches(study):
        yield "Run it again, or one like it", f"add {name} --like {number} --set DIM=VALUE"
    elif status == "finished":
        if trained:
            yield "Take it along", f"export {trial} DIR"
        yield "See what attacks do to it", f"views {trial} -o views.png"
        if searches(study) and trained:
            yield "Measure it again", f"measure {name} --trials {number} --dry-run"
        if searches(study) and not is_flagged(known.get("verdict", "")):
            yield "See what of it is luck", f"reseed {name} --trials {number} --dry-run"
            yield "Confirm it", f"confirm {name} --trials {number} --dry-run"
