"""All figures of a study by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
from plotly import graph_objects as go

from analysis.figures import attainment_figure, curves_figure, hypervolume_figure, parallel_figure, pareto_figure
from analysis.figures.importance import importance_figure
from analysis.figures.interactions import interactions_figure
from analysis.figures.planes import Plane
from analysis.figures.slices import slices_figure
from analysis.figures.style import SCREEN_PX
from analysis.frontier.measured import searches
from analysis.reading.runs import Study


def all_figures(
    study: Study,
    importances: pd.DataFrame,
    pairs: Iterable[tuple[Plane, Plane]],
    chances: Mapping[str, float] | None = None,
    width_px: float = SCREEN_PX,
) -> dict[str, go.Figure]:
    """Those that there is anything to draw in.

    ``importances`` and ``pairs`` as their functions give them for ``study``; ``chances`` of non-domination, where they
    are known already. ``width_px``: of the page, in the figures' own type of 14 px.
    """
    drawn = {
        "frontier": pareto_figure(study),
        "attainment": attainment_figure(study, chances=chances),
        **{plane.name: plane.figure for pair in pairs for plane in pair},
        "hypervolume": hypervolume_figure(study),
        "parallel": parallel_figure(study) if searches(study) else None,
        "importance": importance_figure(study, importances, width_px),
        "slices": slices_figure(study, width_px),
        "interactions": interactions_figure(study, width_px),
        "curves": curves_figure(study, width_px),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}
