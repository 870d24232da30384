"""From a pre-trained encoder to its figures: heads, attacks against them, and whether to believe the outcome."""

from trainables.evaluation.classifiers import Classifier
from trainables.evaluation.heads import train_head
from trainables.evaluation.neighbours import Probe, ProbeAccuracies
from trainables.evaluation.robustness import Measured, measure

__all__ = ["Classifier", "Measured", "Probe", "ProbeAccuracies", "measure", "train_head"]
