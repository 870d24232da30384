"""What trials measure, and what of it a study asks for that they do not measure, or not alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from search_spaces.faults import Fault, nearest
from trainables import packages
from trainables.config import TrialConfig
from trainables.metrics import COSTS, called, head_figure, is_accuracy, is_of_auto_attack


def measured_faults(objectives: Collection[str], bases: Collection[TrialConfig]) -> Iterator[Fault]:
    """What the evaluation of ``bases``, the configs of a study's trainables, cannot give.

    Points on one frontier are measured alike, and every objective is measured of each, under one name.
    """
    for name in ("head", "epsilon", "split"):
        found = {base.trainable: getattr(base.evaluation, name) for base in bases}
        if len(set(found.values())) > 1:
            message = f"evaluation.{name} differs between trainables ({found}); give one value to all"
            yield Fault(("trainables",), message)
    for place, name in enumerate(objectives):
        if (fault := _called_otherwise(name, bases) or _unmeasured_objective(name, bases)) is not None:
            yield Fault(("objectives", place), fault)


def _unmeasured_objective(name: str, bases: Collection[TrialConfig]) -> str | None:
    def valid(other: str) -> bool:
        return is_accuracy(other) and _called_otherwise(other, bases) is None

    return unmeasured(name, bases, valid, COSTS) if is_accuracy(name) else None


def unmeasured(
    name: str, bases: Collection[TrialConfig], kind: Callable[[str], bool], others: Iterable[str] = ()
) -> str | None:
    """Why trials of ``bases`` do not all measure the accuracy ``name``, and what is valid: what they do measure of
    ``kind``, and ``others``. ``None`` where they do, and without any: then it is not known."""
    shares = measured_by_all(bases, kind)
    if not bases or name in shares:
        return None
    lacking = [base for base in bases if name not in _measured(base)]
    which = "this study" if len(lacking) == len(bases) else " or ".join(base.trainable for base in lacking)
    return f"no trial of {which} measures {name}; {_remedy(name, lacking[0], [*others, *shares])}"


def measured_by_all(bases: Collection[TrialConfig], kind: Callable[[str], bool]) -> list[str]:
    """The metrics of ``kind`` that trials of each of ``bases`` measure, in the order of the first one's."""
    each = [_measured(base) for base in bases]
    return [name for name in each[0] if kind(name) and all(name in other for other in each)] if each else []


def _measured(base: TrialConfig) -> tuple[str, ...]:
    from trainables.evaluation.expected import expected_metrics

    return expected_metrics(base.evaluation)


def _remedy(name: str, base: TrialConfig, valid: Collection[str]) -> str:
    attacks, figure = base.evaluation.attacks, head_figure(name)
    if figure is not None and figure.attack in set(packages.brought("attack")).difference(attacks):
        return f"{_beside(attacks, figure.attack)}, or {nearest(name, valid)}"
    if not is_of_auto_attack(name) or any(map(is_of_auto_attack, valid)):
        return nearest(name, valid)
    return (
        f"{_beside(attacks, 'auto_attack')}, and evaluation.auto_attack_images to as many images as a trial can "
        f"afford; or {nearest(name, valid)}"
    )


def _beside(attacks: Iterable[str], other: str) -> str:
    return f"set evaluation.attacks to [{', '.join(dict.fromkeys((*attacks, other)))}]"


def _called_otherwise(objective: str, bases: Collection[TrialConfig]) -> str | None:
    """An accuracy of the study's own head has one name, by which studies with other heads compare."""
    for base in bases:
        head = base.evaluation.head
        if (name := called(objective, head, base.evaluation.epsilon)) != objective:
            return f"{objective} is {name}, for evaluation.head is {head}; write {name}"
    return None
