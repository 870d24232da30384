"""Interactive plots of a study. Each is gathered, computed to plain values, then drawn.

Every function gives ``None`` where there is nothing to draw yet. Texts from users are escaped.
"""

from analysis.figures.attainment import attainment_figure
from analysis.figures.curves import curves_figure
from analysis.figures.hypervolume import hypervolume_figure
from analysis.figures.parallel import parallel_figure
from analysis.figures.pareto import pareto_figure

__all__ = ["attainment_figure", "curves_figure", "hypervolume_figure", "parallel_figure", "pareto_figure"]
