"""What may vary in a study, and how far, per trainable."""

from search_spaces.build import build
from search_spaces.catalogue import DIMENSIONS
from search_spaces.dimension import Dimension
from search_spaces.faults import Fault, SpaceError
from search_spaces.space import SearchSpace

__all__ = ["DIMENSIONS", "Dimension", "Fault", "SearchSpace", "SpaceError", "build"]
