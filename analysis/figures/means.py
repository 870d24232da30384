"""A confirmation's configurations as points: their means over seeds."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd

from analysis import labels
from analysis.figures.axis import Axis, positions
from analysis.frontier.confirmed import confirmed, seeds_of
from analysis.reading.runs import Study
from analysis.reading.titles import metric_title


def means(study: Study, x: Axis, y: Axis) -> pd.DataFrame:
    """A row a configuration with both figures, none of a search: ``axis.positions``, ``name``, ``trainable``,
    ``hollow`` (not credible), ``best`` (on the frontier), ``text`` and ``trials``, the numbers of its seeds."""
    found = confirmed(study)
    figures = found.reindex(columns=[x.metric, y.metric]).to_numpy(dtype=float)
    found = found[np.isfinite(figures).all(axis=1)]
    return positions(found, x, y).assign(
        name=found["configuration"],
        trainable=found["trainable"],
        hollow=~found["credible"].astype(bool),
        best=found["optimal"],
        text=[_hover(study, record) for record in found.to_dict("records")],
        trials=[_numbers(study, str(name)) for name in found["configuration"]],
    )


def _numbers(study: Study, configuration: str) -> str:
    return " ".join(map(labels.trial_number, seeds_of(study, configuration)))


def _hover(study: Study, record: dict[Any, Any]) -> str:
    seeds = f"{record['seeds']} of {record['planned']} seeds"
    lines = [f"<b>{html.escape(record['configuration'])}</b>  {html.escape(record['trainable'])}, {seeds}"]
    for name in study.accuracies:
        if np.isfinite(record[name]):
            interval = labels.percent_interval(record[name], record[f"{name}_low"], record[f"{name}_high"])
            lines.append(f"{metric_title(name, study)}: {interval} %")
    return "<br>".join([*lines, html.escape(record["verdict"])] if record["verdict"] else lines)
