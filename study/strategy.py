"""How a study searches, in words: what proposes its configurations, and what ends its trials early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from analysis import labels
from search_spaces.space import SearchSpace
from study.config import EarlyStopping, StudyConfig
from study.config.warm_start_source import is_study, public
from study.early_stopping.scheduler import probe
from study.samplers.by_name import NUMBERS, POPULATION
from trainables.metrics import PROBE_ACCURACY, PROBE_PGD_ACCURACY, head_figure


def proposed(config: StudyConfig, space: SearchSpace, learned: Iterable[str] = ()) -> str:
    """``Configurations: tpe proposes them, at random until 10 trials have ended.``; ``learned``: the trainable of each
    trial of other studies that the sampler learns from."""
    name = config.sampler.name
    proposes = f"proposes them{_begins(config, space, learned)}"
    how = f"has {space.size:g} of them, each once" if name == "grid" else proposes
    recipes = [name for name in config.start_from if not is_study(name)]
    others = [public(name) for name in config.start_from if is_study(name)]
    named = [labels.listed("recipe", recipes)] * bool(recipes) + [f"what is named of {', '.join(others)}"] * bool(
        others
    )
    first = f"{' and '.join(named)} first, then " if named else ""
    return f"Configurations: {first}{name} {how}."


def _begins(config: StudyConfig, space: SearchSpace, learned: Iterable[str]) -> str:
    """Until when the sampler knows too little to learn from; "" of one that never learns."""
    numbers = {**NUMBERS.get(config.sampler.name, {}), **config.sampler.numbers}
    if not numbers:
        return ""
    known, alone = Counter(learned), config.sampler.name == "gp"
    (wanted,) = numbers.values()
    needed = wanted - (min(known[trainable] for trainable in space.trainables) if alone else known.total())
    if needed <= 0:
        return ", learning from the first on"
    if POPULATION in numbers:
        return f", at random until {_have(needed, 'finished')}, then from those and each further as many"
    return f", at random until {_have(needed, 'ended', ' of a trainable' if alone else '')}"


def _have(count: int, done: str, of: str = "") -> str:
    return f"{labels.counted(count, 'trial')}{of} {'has' if count == 1 else 'have'} {done}"


def foretold(config: StudyConfig) -> list[str]:
    """What early stopping foretells heads' figures by, in a sentence; none where every objective has a probe."""
    if config.scheduler.name == "none":
        return []
    by = {PROBE_ACCURACY: "the clean probe", PROBE_PGD_ACCURACY: "the probe under PGD at evaluation.epsilon"}
    told = [f"{name} by {by[probe(name)]}" for name in config.objectives if head_figure(name)]
    return [f"Early stopping judges {', '.join(told)}."] if told else []


def ended_early(scheduler: EarlyStopping, learned: int = 0) -> str:
    """``Early stopping: none, every trial runs to its end.``; ``learned``: from so many trials of other studies."""
    among = f"{scheduler.minimum} have come to the same rung"
    if scheduler.name == "halving":
        needed = scheduler.finished - learned
        when = f"once {_have(needed, 'finished')} and {among}" if needed > 0 else f"once {among}"
        return f"Early stopping: halving ends trials that have no chance of the frontier, {when}."
    if scheduler.name == "asha":
        return f"Early stopping: asha ends all but the best 1/{scheduler.eta:g} of a rung, once {among}."
    return "Early stopping: none, every trial runs to its end."
