"""One HTML file that shows a study: self-contained, so that it can be mailed, archived and opened anywhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from analysis import constraints, labels, published, tables
from analysis.confirmed import confirmed, confirms
from analysis.figures import curves_figure, parallel_figure, pareto_figure
from analysis.figures.pareto import compute
from analysis.layout import write_atomically
from analysis.pareto import frontier, study_hypervolume
from analysis.runs import Study
from analysis.schema import UI_ADDRESS, TrialStatus
from analysis.shares import shares_table, with_costs
from trainables.metrics import GPU_MINUTES, Direction


def write_report(study: Study, path: Path) -> None:
    """Write ``study``'s report to ``path``, replacing what is there at once."""
    write_atomically(path, render(study))


def render(study: Study) -> str:
    """The report as HTML; everything that users wrote is escaped."""
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"href": _href}
    figures = {"pareto": pareto_figure(study), "parallel": parallel_figure(study), "curves": curves_figure(study)}
    found = tables.headline_table(study)
    return environment.get_template("report.html.j2").render(
        study=study,
        facts=_facts(study),
        counts=_counts(study),
        best=_optimal(study),
        confirms=confirms(study),
        best_url=dict(zip(study.trials["number"].map(labels.trial_number), study.trials["mlflow_url"], strict=True)),
        frontier=found,
        nothing_found=tables.why_nothing_found(study, found),
        shares=shares_table(study),
        trials=tables.trials_table(study),
        unfinished=tables.unfinished_table(study),
        protocol=labels.protocol(study),
        local_pages=bool(study.trials["mlflow_url"].str.startswith(UI_ADDRESS).any()),
        published=published.TABLE_1,
        references=bool(compute(study).references.points),
        environment=_environment(study),
        figures={name: figure.to_json() for name, figure in figures.items() if figure is not None},
        plotly=get_plotlyjs(),
        written=_when(datetime.now(UTC).timestamp()),
    )


def _facts(study: Study) -> list[tuple[str, str]]:
    """What a reader must know before the first figure; unknown facts are left out."""
    manifest = study.manifest
    search = [str(manifest.get("sampler", "")), f"seed {manifest['seed']}" if "seed" in manifest else ""]
    facts = {
        "To maximise": _objectives(study, "maximize"),
        "To minimise": _objectives(study, "minimize"),
        "Bounds": constraints.words(constraints.readable(manifest.get("constraints"))),
        "Measured on": labels.protocol(study),
        "Data": str(manifest.get("data") or ""),
        "Trainables": ", ".join(map(str, _list(manifest.get("trainables")))),
        "Search": ", ".join(part for part in search if part),
        "Confirms": _confirmation(study),
        "Budget": _budget(manifest.get("budget")),
        "Used": _used(study),
        "Hypervolume": _hypervolume(study),
        "Started": _when(manifest.get("created")),
    }
    return [(title, text) for title, text in facts.items() if text]


def _confirmation(study: Study) -> str:
    told = confirms(study)
    if not told:
        return ""
    trials, seeds = ([configuration["trial"] for configuration in told["configurations"]], told["seeds"])
    return f"trials {', '.join(map(str, trials))} of {told['study']}, each with seeds {', '.join(map(str, seeds))}"


def _optimal(study: Study) -> int:
    """How many trials, or of a confirmation how many configurations, no other beats."""
    return int(confirmed(study)["optimal"].sum()) if confirms(study) else len(frontier(study))


def _objectives(study: Study, direction: Direction) -> str:
    return ", ".join(labels.metric_title(name, study) for name, way in study.objectives.items() if way == direction)


def _hypervolume(study: Study) -> str:
    volume = study_hypervolume(study)
    return f"{volume:.3f} of 1 (from accuracy 0)" if volume else ""


def _budget(budget: object) -> str:
    if not isinstance(budget, dict):
        return ""
    return ", ".join(f"{value:g} {str(name).replace('_', ' ')}" for name, value in budget.items() if _is_number(value))


def _used(study: Study) -> str:
    minutes = with_costs(study)[GPU_MINUTES].sum()
    wall = study.trials["ended"].max() - study.trials["started"].min()
    parts = [f"{labels.duration(wall)} of wall time"] if wall == wall else []
    parts += [f"{minutes:.3g} GPU-minutes"] if minutes else []
    return ", ".join(parts)


def _counts(study: Study) -> list[tuple[str, int]]:
    found = study.trials["status"].value_counts()
    return [(status.value, int(found.get(status.value, 0))) for status in TrialStatus if status.value in found]


def _environment(study: Study) -> list[tuple[str, str]]:
    environment = study.manifest.get("environment")
    items = environment.items() if isinstance(environment, dict) else ()
    return [(str(name).replace("_", " "), str(value)) for name, value in items if value is not None]


def _when(seconds: object) -> str:
    if not _is_number(seconds):
        return ""
    return datetime.fromtimestamp(float(str(seconds)), UTC).strftime("%Y-%m-%d %H:%M UTC")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _href(url: str) -> str:
    """Only web addresses become links: what is not one could be a script."""
    return url if re.match(r"https?://", url) else ""
