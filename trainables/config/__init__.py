"""What one trial does, as frozen values: every number of a run is a field here.

A ``TrialConfig`` is complete: two runs with equal configs compute the same.
Defaults are the paper's (arXiv 2501.03507) where it states them; a trainable's
own file sets what differs. Provenance: [P] paper text, [C] the authors' code
(softsys4ai/CF-AMC-SSL at ff36114), [A] our assumption.
"""

from __future__ import annotations

from trainables.config.checks import ConfigError, UserError
from trainables.config.compute import AttackPrecision, ComputeConfig, Precision
from trainables.config.data import AugmentationName, DataConfig, Placement, ViewKind, ViewsConfig
from trainables.config.evaluation import AttackName, EvaluationConfig, SplitName
from trainables.config.leaves import (
    WEIGHTS,
    assignment,
    flatten,
    from_dict,
    leaf_types,
    override,
    to_dict,
    value_of,
    weight,
)
from trainables.config.method import (
    AdversaryConfig,
    AdversaryName,
    CoresetConfig,
    CoresetName,
    DivergenceName,
    LarsForm,
    ObjectiveConfig,
    OptimiserConfig,
)
from trainables.config.network import NetworkConfig, Stem
from trainables.config.trial import FaithfulTo, TrialConfig

__all__ = [
    "WEIGHTS",
    "AdversaryConfig",
    "AdversaryName",
    "AttackName",
    "AttackPrecision",
    "AugmentationName",
    "ComputeConfig",
    "ConfigError",
    "CoresetConfig",
    "CoresetName",
    "DataConfig",
    "DivergenceName",
    "EvaluationConfig",
    "FaithfulTo",
    "LarsForm",
    "NetworkConfig",
    "ObjectiveConfig",
    "OptimiserConfig",
    "Placement",
    "Precision",
    "SplitName",
    "Stem",
    "TrialConfig",
    "UserError",
    "ViewKind",
    "ViewsConfig",
    "assignment",
    "flatten",
    "from_dict",
    "leaf_types",
    "override",
    "to_dict",
    "value_of",
    "weight",
]
