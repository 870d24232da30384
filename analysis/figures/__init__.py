"""Interactive plots of a study. Each is gathered, computed to plain values, then drawn.

Every function gives ``None`` where there is nothing to draw yet. Texts from users are escaped.
"""

from analysis.figures.curves import curves_figure
from analysis.figures.parallel import parallel_figure
from analysis.figures.pareto import pareto_figure

__all__ = ["curves_figure", "parallel_figure", "pareto_figure"]
