"""How a study searches, in words: what proposes its configurations, and what ends its trials early."""

from __future__ import annotations

from analysis import labels
from search_spaces.space import SearchSpace
from study.config import EarlyStopping, StudyConfig
from study.samplers.by_name import NUMBERS, POPULATION, STARTUP_TRIALS


def proposed(config: StudyConfig, space: SearchSpace) -> str:
    """``Configurations: tpe proposes them, at random until 10 trials have ended.``"""
    name = config.sampler.name
    numbers = {**NUMBERS.get(name, {}), **config.sampler.numbers}
    how = "proposes them"
    if name == "grid":
        how = f"has {space.size:g} of them, each once"
    elif name == "gp":
        how += f", at random until {labels.counted(numbers[STARTUP_TRIALS], 'trial')} of a trainable have ended"
    elif STARTUP_TRIALS in numbers:
        how += f", at random until {labels.counted(numbers[STARTUP_TRIALS], 'trial')} have ended"
    elif POPULATION in numbers:
        how += f", at random until {numbers[POPULATION]} trials have finished, then from those and each further as many"
    first = f"{labels.listed('recipe', config.start_from)} first, then " if config.start_from else ""
    return f"Configurations: {first}{name} {how}."


def ended_early(scheduler: EarlyStopping, learned: int = 0) -> str:
    """``Early stopping: none, every trial runs to its end.``; ``learned``: from so many trials of other studies."""
    among = f"{scheduler.minimum} have come to the same rung"
    if scheduler.name == "halving":
        needed = scheduler.finished - learned
        finished = f"{labels.counted(needed, 'trial')} {'has' if needed == 1 else 'have'} finished"
        when = f"once {finished} and {among}" if needed > 0 else f"once {among}"
        return f"Early stopping: halving ends trials that have no chance of the frontier, {when}."
    if scheduler.name == "asha":
        return f"Early stopping: asha ends all but the best 1/{scheduler.eta:g} of a rung, once {among}."
    return "Early stopping: none, every trial runs to its end."
