"""Linear heads on the frozen encoder, and the attacks against them."""

from trainables.evaluation.heads import Classifier, train_head
from trainables.evaluation.neighbours import Probe
from trainables.evaluation.robustness import measure

__all__ = ["Classifier", "Probe", "measure", "train_head"]
