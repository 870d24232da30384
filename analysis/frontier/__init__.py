"""The Pareto frontier of a study, its hypervolume, and how sure both are over images, seeds and stronger attacks."""
