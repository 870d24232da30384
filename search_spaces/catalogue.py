"""The dimensions that studies search unless they say otherwise, each defined once for all trainables.

Ranges enclose the values of the paper's Tables 1, 3 and 5.

Provenance: [P] arXiv 2501.03507, [C] the authors' code (softsys4ai/CF-AMC-SSL at ff36114).
"""

from __future__ import annotations

from collections.abc import Callable

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import methods
from search_spaces.dimension import Dimension, Distribution, Leaves, Number
from trainables.adversaries import resolve
from trainables.config import TrialConfig, ViewsConfig


def _all(distribution: Distribution) -> Callable[[TrialConfig], Distribution | None]:
    return lambda config: distribution  # noqa: ARG005


def _half_to_twice(config: TrialConfig) -> Distribution:
    epochs = config.optimiser.epochs
    return IntDistribution(max(1, epochs // 2), 2 * epochs, log=True)


def _around_the_peak(config: TrialConfig) -> Distribution:
    peak = config.optimiser.learning_rate
    return FloatDistribution(peak / 10, peak * 10, log=True)


def _of_crops(distribution: Distribution) -> Callable[[TrialConfig], Distribution | None]:
    """Patches have one scale by definition: theirs varies only where a study asks for it."""
    return lambda config: distribution if config.views.kind == "crops" else None


def _without_labels(distribution: Distribution) -> Callable[[TrialConfig], Distribution | None]:
    """A supervised method sees as many views as a study asks for, one unless it does."""
    return lambda config: None if methods.objective(config).reads_labels else distribution


def _step_size(leaves: Leaves, ratio: Number) -> Number:
    epsilon: float = leaves["adversary.epsilon"]
    return ratio * epsilon


def _step_ratio(config: TrialConfig) -> Number:
    attack = resolve(config.adversary, config.objective.name, config.faithful_to)
    return attack.step_size / attack.epsilon


def _smallest_scale(config: TrialConfig) -> Number:
    return config.views.scale[0]


def _largest_scale(leaves: Leaves, span: Number) -> Number:
    views = ViewsConfig(kind=leaves["views.kind"], scale_min=leaves["views.scale_min"], scale_max=1.0)
    low = views.scale[0]
    return low + span * (1 - low)


def _span(config: TrialConfig) -> Number:
    low, high = config.views.scale
    return (high - low) / (1 - low) if low < 1 else 0.0


_CATALOGUE = (
    Dimension(
        name="crops",
        summary="views that an image gives; NT-Xent has exactly two",
        path="views.number",
        kind=int,
        default=_without_labels(IntDistribution(4, 64)),
        belongs=methods.many_views,
    ),
    Dimension(
        name="crop_scale_min",
        summary="smallest share of the image's area that a view shows",
        path="views.scale_min",
        kind=float,
        default=_of_crops(FloatDistribution(0.05, 0.5)),
        belongs=methods.cuts,
        read=_smallest_scale,
    ),
    Dimension(
        name="crop_scale_span",
        summary="how far the largest view goes from the smallest (0) to the whole image (1)",
        path="views.scale_max",
        kind=float,
        default=_of_crops(FloatDistribution(0.0, 1.0)),
        belongs=methods.cuts,
        leaf=_largest_scale,
        read=_span,
    ),
    Dimension(
        name="epsilon",
        summary="radius of the training adversary",
        path="adversary.epsilon",
        kind=float,
        default=_all(FloatDistribution(2 / 255, 16 / 255)),
        belongs=methods.attacked,
        pixel_levels=True,
    ),
    Dimension(
        name="step_ratio",
        summary="adversary's step as a multiple of epsilon, so that it means the same at every radius",
        path="adversary.step_size",
        kind=float,
        default=_all(FloatDistribution(0.1, 1.0)),
        belongs=methods.attacked,
        leaf=_step_size,
        read=_step_ratio,
    ),
    Dimension(
        name="m",
        summary="replays of a batch in free adversarial training",
        path="adversary.replays",
        kind=int,
        default=_all(IntDistribution(1, 12)),
        belongs=methods.free,
    ),
    Dimension(
        name="pgd_steps",
        summary="gradient steps of the PGD training adversary",
        path="adversary.steps",
        kind=int,
        default=_all(IntDistribution(1, 10)),
        belongs=methods.pgd,
    ),
    Dimension(
        name="invariance_weight",
        summary="weight of EMP-SSL's invariance term, 200 in the authors' code",
        path="objective.invariance_weight",
        kind=float,
        default=_all(FloatDistribution(20.0, 2000.0, log=True)),
        belongs=methods.reads("invariance_weight"),
    ),
    Dimension(
        name="tcr_weight",
        summary="weight of EMP-SSL's total coding rate term, 1 in the authors' code",
        path="objective.tcr_weight",
        kind=float,
        default=_all(FloatDistribution(0.1, 10.0, log=True)),
        belongs=methods.reads("tcr_weight"),
    ),
    Dimension(
        name="temperature",
        summary="temperature of a contrastive loss, 0.07 in the authors' code, 0.5 in ACL's",
        path="objective.temperature",
        kind=float,
        default=_all(FloatDistribution(0.02, 0.5, log=True)),
        belongs=methods.reads("temperature"),
    ),
    Dimension(
        name="epochs",
        summary="passes over the training images",
        path="optimiser.epochs",
        kind=int,
        default=_half_to_twice,
    ),
    Dimension(
        name="coreset_fraction",
        summary="share of the minibatches that train after the coreset's warm-up",
        path="coreset.fraction",
        kind=float,
        default=_all(FloatDistribution(0.05, 0.5, log=True)),
        belongs=methods.selects,
    ),
    Dimension(
        name="batch_size",
        summary="images in a batch, each with all its views",
        path="optimiser.batch_size",
        kind=int,
        default=_all(CategoricalDistribution((64, 100, 128, 256, 512))),
    ),
    Dimension(
        name="learning_rate",
        summary="peak learning rate: 0.3 in the authors' code, 5 in ACL's, whose form of LARS scales it down",
        path="optimiser.learning_rate",
        kind=float,
        default=_around_the_peak,
    ),
)

DIMENSIONS: dict[str, Dimension] = {dimension.name: dimension for dimension in _CATALOGUE}
"""By name, in the order of tables and of drawing."""
