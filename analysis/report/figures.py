"""The figures of a report as the page takes them: JSON, each text once, the trials that it links."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from plotly import graph_objects as go
from plotly.utils import PlotlyJSONEncoder

from analysis import labels
from analysis.figures.gallery import all_figures
from analysis.figures.pareto import hovers
from analysis.figures.planes import Plane
from analysis.figures.published import published_figure
from analysis.figures.style import MENU_PX, TITLE_PX, choices
from analysis.reading.runs import CONFIG, Study
from analysis.report.columns import with_columns

_DATA = f"{CONFIG}data.source"


class Embedded(NamedTuple):
    """A figure in the page; ``height`` in pixels; ``title`` and ``views``, what its menu offers: the page has them
    outside of it, where they break into lines."""

    json: str
    height: int
    title: str
    views: tuple[str, ...]


class Drawn(NamedTuple):
    """``figures``: by name, those that there is anything to draw for; ``columns``: what several of them hold."""

    figures: dict[str, Embedded]
    columns: str


def embedded(
    study: Study, importances: pd.DataFrame, chances: Mapping[str, float], pairs: tuple[tuple[Plane, Plane], ...]
) -> Drawn:
    drawn = all_figures(study, importances, pairs, chances)
    if drawn and (published := published_figure(study)) is not None:
        drawn["published"] = published
    texts = hovers(study)
    contents, columns = with_columns({name: _content(figure, texts) for name, figure in drawn.items()})
    return Drawn({name: _embedded(content) for name, content in contents.items()}, _script(columns))


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


def _content(figure: go.Figure, texts: Mapping[str, str]) -> dict[str, Any]:
    """What the page draws: ``data``, ``layout``, the ``title`` and the ``views``."""
    offered, title, made = choices(figure), str(figure.layout.title.text or ""), go.Figure(figure)
    outside = MENU_PX * bool(offered) + TITLE_PX * bool(title)
    made.layout.updatemenus, made.layout.title = (), None
    made.update_layout(height=figure.layout.height - outside, margin_t=figure.layout.margin.t - outside)
    content: dict[str, Any] = json.loads(made.to_json())
    for trace in content["data"]:
        _tell_once(trace, texts)
    views = json.dumps([one._asdict() for one in offered], cls=PlotlyJSONEncoder)
    return {**content, "title": html.unescape(title.replace("<br>", " ")), "views": json.loads(views)}


def _tell_once(trace: dict[str, Any], texts: Mapping[str, str]) -> None:
    """Leaves of what marks say only what comes ``after`` the trials' ``texts``, which the page has already."""
    told, ids = trace.get("hovertext"), trace.get("ids", ())
    known = [texts.get(name, "") for name in ids]
    if told and all(known) and len(told) == len(known) and all(map(str.startswith, told, known)):
        after = [text.removeprefix(its) for text, its in zip(told, known, strict=True)]
        del trace["hovertext"]
        trace["meta"] = {**trace.get("meta", {}), "after": after if any(after) else []}


def _embedded(content: dict[str, Any]) -> Embedded:
    views = tuple(view["label"] for view in content["views"])
    return Embedded(_script(content), int(content["layout"]["height"]), content["title"], views)


def _script(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
