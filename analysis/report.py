"""One HTML file that shows a study: self-contained, so that it can be mailed, archived and opened anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from analysis import importance_table, labels, published, report_facts, report_figures, tables
from analysis.attainment import attainment_sentence
from analysis.breakdowns import RULES, breakdowns, breakdowns_sentence
from analysis.changes import changes
from analysis.confirmed import confirms, reseeds, seeds_of
from analysis.dominance import chances
from analysis.dominance_table import with_chances
from analysis.figures.interactions import left_out
from analysis.figures.pareto import compute
from analysis.figures.planes import plane_pairs
from analysis.figures.references import comparability
from analysis.history import GAINS, gains_table
from analysis.importance import importances, why_no_importances
from analysis.layout import write_atomically
from analysis.measured import searches
from analysis.plateau import plateau_sentence
from analysis.runs import Study
from analysis.shares import shares_table
from analysis.titles import protocol
from analysis.uncertainty import SEEDS_INTERVAL


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
    environment.filters |= {"href": labels.href}
    odds = chances(study)
    return environment.get_template("report.html.j2").render(
        study=study,
        facts=report_facts.facts(study),
        counts=report_facts.counts(study),
        confirms=confirms(study),
        reseeds=reseeds(study),
        changed=changes(study.manifest),
        environment=report_facts.environment(study),
        plotly=get_plotlyjs(),
        written=report_facts.when(datetime.now(UTC).timestamp()),
        **_frontier(study, odds),
        **_settings(study, odds),
        **_trials(study),
        **_published(study),
    )


def _frontier(study: Study, odds: Mapping[str, float]) -> dict[str, Any]:
    found = tables.headline_table(study)
    return {
        "best": report_facts.optimal(study),
        "frontier": with_chances(study, found, odds),
        "nothing_found": tables.why_nothing_found(study, found),
        "protocol": protocol(study),
        "intervals": bool(study.finished.filter(like="_accuracy_low").notna().to_numpy().any()),
        "seeds_interval": SEEDS_INTERVAL,
        "attained": attainment_sentence(study),
        "plateau": plateau_sentence(study),
        "gains": gains_table(study),
        "gains_caption": GAINS,
        "shares": shares_table(study),
    }


def _settings(study: Study, odds: Mapping[str, float]) -> dict[str, Any]:
    """With the figures, which rest on the same importances."""
    found, pairs = importances(study), plane_pairs(study)
    drawn = report_figures.embedded(study, found, odds, pairs)
    return {
        "figures": drawn.figures,
        "columns": drawn.columns,
        "pairs_left_out": left_out(study),
        "pairs": pairs,
        "costs_shown": any(not labels.is_accuracy(first.x) for first, _ in pairs),
        "importance": importance_table.importance_table(study, found),
        "importance_caption": importance_table.caption(study),
        "no_importance": why_no_importances(study) if searches(study) else "",
        "broken_down": breakdowns_sentence(breakdowns(study)),
        "breakdown_rules": RULES,
    }


def _trials(study: Study) -> dict[str, Any]:
    urls = study.trials["mlflow_url"]
    return {
        "urls": dict(zip(study.trials["number"].map(labels.trial_number), urls, strict=True)),
        "local_pages": report_facts.local_pages(urls),
        "owners": _owners(study),
        "trials": tables.trials_table(study),
        "unfinished": tables.unfinished_table(study),
        "data": report_figures.linked(study),
        "filters": report_figures.filters(study),
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
