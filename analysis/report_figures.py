"""The figures of a report as the page takes them: JSON, each text once, the trials that it links."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from plotly import graph_objects as go

from analysis import labels
from analysis.figures.pareto import hovers
from analysis.figures.planes import Plane
from analysis.figures.published import published_figure
from analysis.gallery import all_figures
from analysis.runs import CONFIG, Study

_DATA = f"{CONFIG}data.source"


class Embedded(NamedTuple):
    """A figure in the page; ``height`` in pixels."""

    json: str
    height: int


def embedded(
    study: Study, importances: pd.DataFrame, chances: Mapping[str, float], pairs: tuple[tuple[Plane, Plane], ...]
) -> dict[str, Embedded]:
    """By name, those that there is anything to draw for."""
    drawn = all_figures(study, importances, pairs, chances)
    if drawn:
        drawn["published"] = published_figure(study)
    texts = hovers(study)
    return {name: _embedded(figure, texts) for name, figure in drawn.items()}


def linked(study: Study) -> str:
    """What the page knows of every trial, by its number as written: ``trainable``, ``data``, ``url`` of its run, and
    the ``text`` of its marks."""
    texts = hovers(study)
    columns = (study.trials["number"], study.trials["trainable"], _sources(study), study.trials["mlflow_url"])
    known = {}
    for number, trainable, data, url in zip(*columns, strict=True):
        name = labels.trial_number(number)
        known[name] = {"trainable": trainable, "data": data, "url": labels.href(url), "text": texts.get(name, "")}
    return _script(known)


def filters(study: Study) -> dict[str, list[str]]:
    """The values by which trials can be hidden."""
    return {"trainable": sorted(study.trials["trainable"].unique()), "data": sorted(set(_sources(study)))}


def _sources(study: Study) -> list[str]:
    """Of each trial's data, "" where unknown."""
    found = study.trials[_DATA] if _DATA in study.trials else pd.Series("", index=study.trials.index)
    return [source if isinstance(source, str) else "" for source in found]


def _embedded(figure: go.Figure, texts: Mapping[str, str]) -> Embedded:
    content = json.loads(figure.to_json())
    for trace in content["data"]:
        if "ids" in trace and trace.get("hovertext") == [texts.get(name) for name in trace["ids"]]:
            del trace["hovertext"]  # the page has it once
    return Embedded(_script(content), int(figure.layout.height))


def _script(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
