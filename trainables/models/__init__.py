"""Backbones, the encoder around them and its normalisation layers."""

from trainables.models.compiling import compile_passes
from trainables.models.encoder import Encoder, build
from trainables.models.norms import Branch, DualBatchNorm, branch, frozen_statistics, single_branch
from trainables.models.shared_norms import shared_norms

__all__ = [
    "Branch",
    "DualBatchNorm",
    "Encoder",
    "branch",
    "build",
    "compile_passes",
    "frozen_statistics",
    "shared_norms",
    "single_branch",
]
