"""What a report says of a study before its first figure, and where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from analysis import constraints, labels
from analysis.frontier.confirmed import confirmed, confirms, reseeds
from analysis.frontier.measured import measures
from analysis.frontier.pareto import frontier, measured, study_hypervolume
from analysis.frontier.settled import settled_sentence
from analysis.progress.elapsed import wall_time
from analysis.progress.so_far import with_costs
from analysis.reading.runs import EXCLUDED, Study
from analysis.reading.study_file import learned_from
from analysis.reading.titles import assumption, metric_title, protocol
from analysis.schema import UI_ADDRESS, TrialStatus
from analysis.searched import changes
from trainables.metrics import GPU_MINUTES, Direction


def facts(study: Study) -> list[tuple[str, str]]:
    """What a reader must know before the first figure; unknown facts are left out."""
    manifest = study.manifest
    search = [labels.sampler(manifest.get("sampler")), f"seed {manifest['seed']}" if "seed" in manifest else ""]
    facts = {
        "Beware": assumption(study),
        "To maximise": _objectives(study, "maximize"),
        "To minimise": _objectives(study, "minimize"),
        "Bounds": constraints.words(constraints.readable(manifest.get("constraints"))),
        "Measured on": protocol(study),
        "Data": str(manifest.get("data") or ""),
        "Trainables": ", ".join(map(str, manifest.get("trainables", []))),
        "Search": ", ".join(part for part in search if part),
        "Early stopping": _early_stopping(manifest.get("scheduler")),
        "Warm start": ", ".join(learned_from(study) or ()),
        "Changed": changes.told(manifest),
        "Reseeds" if reseeds(study) else "Confirms": _confirmation(study),
        "Measures": _measurement(study),
        "Frontier": settled_sentence(study),
        "Budget": labels.budget(manifest.get("budget")),
        "Used": _used(study),
        "Hypervolume": _hypervolume(study),
        "Started": labels.moment(manifest["created"]) if "created" in manifest else "",
    }
    return [(title, text) for title, text in facts.items() if text]


def _early_stopping(stated: object) -> str:
    """Its name as in a study file; "" where nobody is ended early."""
    name = str(stated.get("name", "")) if isinstance(stated, Mapping) else str(stated or "")
    return "" if name == "none" else name


def _confirmation(study: Study) -> str:
    told = confirms(study)
    if not told:
        return ""
    which = [labels.trial_number(one["trial"]) for one in told["configurations"]]
    return labels.trainings(which, told["study"], told["seeds"])


def _measurement(study: Study) -> str:
    told = measures(study)
    if not told:
        return ""
    which = labels.listed("trial", [labels.trial_number(one["trial"]) for one in told["configurations"]])
    return f"{which} of {told['study']}, whose pre-training is in the costs"


def optimal(study: Study) -> int:
    """How many trials, or of a confirmation how many configurations, no other beats."""
    return int(confirmed(study)["optimal"].sum()) if confirms(study) else len(frontier(study))


def _objectives(study: Study, direction: Direction) -> str:
    return ", ".join(metric_title(name, study) for name, way in study.objectives.items() if way == direction)


def _hypervolume(study: Study) -> str:
    """Of a confirmation that of its means: the best of several seeds would be luck."""
    points, means = None, ""
    if confirms(study):
        points, means = confirmed(study), "of means over seeds, "
        points = points[points["credible"].astype(bool)]
    volume = study_hypervolume(study, points)
    costs = "; costs do not enter" if len(measured(study)) < len(study.objectives) else ""
    return f"{labels.percent(volume)} % of what there could be ({means}from accuracy 0{costs})" if volume else ""


def _used(study: Study) -> str:
    minutes = with_costs(study)[GPU_MINUTES].sum()
    return ", ".join([*wall_time(study), *([f"{labels.cost(minutes)} GPU-minutes"] if minutes else [])])


def local_pages(urls: Iterable[str]) -> str:
    """The command that serves MLflow's pages where ``urls`` lead to this machine; "" if they do not."""
    here, usual = urlsplit(next(filter(None, urls), "")), urlsplit(UI_ADDRESS)
    if here.hostname not in (usual.hostname, "localhost"):
        return ""
    return "study ui" if here.port == usual.port else f"study ui --port {here.port or 80}"


def counts(study: Study) -> list[tuple[str, int]]:
    """How many trials stand how, excluded ones last."""
    found = study.standings.value_counts()
    return [(kind, int(found[kind])) for kind in (*(status.value for status in TrialStatus), EXCLUDED) if kind in found]


def environment(study: Study) -> list[tuple[str, str]]:
    known = study.manifest.get("environment", {}).items()
    return [(str(name).replace("_", " "), str(value)) for name, value in known if value is not None]
