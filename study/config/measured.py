"""What trials measure, and what of it a study asks for that they do not measure, or not alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from search_spaces.faults import Fault
from trainables.config import TrialConfig
from trainables.metrics import AUTO_ATTACK_ACCURACY


def measured_faults(objectives: Collection[str], bases: Collection[TrialConfig]) -> Iterator[Fault]:
    """What the evaluation of ``bases``, the configs of a study's trainables, cannot give.

    Points on one frontier are measured alike, and every objective is measured of each.
    """
    for name in ("head", "epsilon", "split"):
        found = {base.trainable: getattr(base.evaluation, name) for base in bases}
        if len(set(found.values())) > 1:
            message = f"evaluation.{name} differs between trainables ({found}); give one value to all"
            yield Fault(("trainables",), message)
    if AUTO_ATTACK_ACCURACY in objectives and any("auto_attack" not in base.evaluation.attacks for base in bases):
        yield Fault(
            ("objectives",),
            f"objective {AUTO_ATTACK_ACCURACY} is not measured; set evaluation.attacks to [pgd, auto_attack], and "
            "evaluation.auto_attack_images to as many images as a trial can afford",
        )
