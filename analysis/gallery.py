"""All figures of a study by name."""

from __future__ import annotations

from plotly import graph_objects as go

from analysis.figures import attainment_figure, curves_figure, hypervolume_figure, parallel_figure, pareto_figure
from analysis.figures.importance import importance_figure
from analysis.figures.interactions import interactions_figure
from analysis.figures.slices import slices_figure
from analysis.importance import importances
from analysis.runs import Study


def all_figures(study: Study) -> dict[str, go.Figure]:
    """Those that there is anything to draw in."""
    drawn = {
        "frontier": pareto_figure(study),
        "attainment": attainment_figure(study),
        "hypervolume": hypervolume_figure(study),
        "importance": importance_figure(study, importances(study)),
        "slices": slices_figure(study),
        "interactions": interactions_figure(study),
        "parallel": parallel_figure(study),
        "curves": curves_figure(study),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}
