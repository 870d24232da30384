"""One HTML file that shows a study: self-contained, so that it can be mailed, archived and opened anywhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from analysis import labels
from analysis.figures.interactions import left_out
from analysis.figures.pareto import compute
from analysis.figures.planes import plane_pairs
from analysis.figures.references import comparability
from analysis.figures.style import SCALE, SCALE_ON_DARK
from analysis.frontier.attainment import attainment_sentence
from analysis.frontier.confirmed import confirms, reseeds, seeds_of
from analysis.frontier.dominance import chances
from analysis.frontier.measured import searches
from analysis.frontier.plateau import plateau_sentence
from analysis.frontier.uncertainty import SEEDS_INTERVAL
from analysis.layout import write_atomically
from analysis.papers import published
from analysis.progress.breakdowns import RULES, breakdowns, breakdowns_sentence
from analysis.reading.runs import Study
from analysis.reading.titles import protocol
from analysis.report import facts, figures
from analysis.searched.changes import changes
from analysis.searched.importance import importances, why_no_importances
from analysis.searched.notable import notable
from analysis.tables import importance, trials
from analysis.tables.dominance import with_chances
from analysis.tables.gains import GAINS, gains_table
from analysis.tables.shares import shares_table
from trainables.metrics import is_accuracy


def write_report(study: Study, path: Path) -> None:
    """Write ``study``'s report to ``path``, replacing what is there at once."""
    write_atomically(path, render(study))


def render(study: Study) -> str:
    """The report as HTML; everything that users wrote is escaped."""
    environment = Environment(
        loader=PackageLoader("analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"href": labels.href}
    odds = chances(study)
    return environment.get_template("report.html.j2").render(
        study=study,
        facts=facts.facts(study),
        counts=facts.counts(study),
        confirms=confirms(study),
        reseeds=reseeds(study),
        changed=changes(study.manifest),
        environment=facts.environment(study),
        plotly=get_plotlyjs(),
        scale=list(zip(SCALE, SCALE_ON_DARK, strict=True)),
        written=labels.moment(time.time()),
        **_frontier(study, odds),
        **_settings(study, odds),
        **_trials(study),
        **_published(study),
    )


def _frontier(study: Study, odds: Mapping[str, float]) -> dict[str, Any]:
    found = trials.headline_table(study)
    return {
        "best": facts.optimal(study),
        "frontier": with_chances(study, found, odds),
        "nothing_found": trials.why_nothing_found(study, found),
        "protocol": protocol(study),
        "intervals": bool(study.finished.filter(regex="_low$").notna().to_numpy().any()),
        "seeds_interval": SEEDS_INTERVAL,
        "attained": attainment_sentence(study),
        "plateau": plateau_sentence(study),
        "gains": gains_table(study),
        "gains_caption": GAINS,
        "shares": shares_table(study),
        "notable": notable(study),
    }


def _settings(study: Study, odds: Mapping[str, float]) -> dict[str, Any]:
    """With the figures, which rest on the same importances."""
    found, pairs = importances(study), plane_pairs(study)
    drawn = figures.embedded(study, found, odds, pairs)
    return {
        "figures": drawn.figures,
        "columns": drawn.columns,
        "pairs_left_out": left_out(study),
        "pairs": pairs,
        "costs_shown": any(not is_accuracy(first.x) for first, _ in pairs),
        "importance": importance.importance_table(study, found),
        "importance_caption": importance.caption(study),
        "no_importance": why_no_importances(study) if searches(study) else "",
        "broken_down": breakdowns_sentence(breakdowns(study)),
        "breakdown_rules": RULES,
    }


def _trials(study: Study) -> dict[str, Any]:
    urls = study.trials["mlflow_url"]
    return {
        "urls": dict(zip(study.trials["number"].map(labels.trial_number), urls, strict=True)),
        "local_pages": facts.local_pages(urls),
        "owners": _owners(study),
        "trials": trials.trials_table(study),
        "unfinished": trials.unfinished_table(study),
        "data": figures.linked(study),
        "filters": figures.filters(study),
    }


def _owners(study: Study) -> dict[str, str]:
    """The trials of a confirmation's configurations; of a search's each trial stands for itself."""
    configurations = confirms(study).get("configurations", [])
    names = [f"{confirms(study)['study']}/{labels.trial_number(int(one['trial']))}" for one in configurations]
    return {name: " ".join(map(labels.trial_number, seeds_of(study, name))) for name in names}


def _published(study: Study) -> dict[str, Any]:
    return {
        "published": published.POINTS,
        "comparability": comparability(study),
        "references": bool(compute(study).references.points),
    }
