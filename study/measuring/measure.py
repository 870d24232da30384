"""From a study's trained networks to their figures under other attacks, radii, heads or images.

The measurement is a study of its own, one trial a network. What it needs of the other study is copied into its study
file and its folder before it begins, so that it is resumed, tracked and reported like any other. Where a frontier is to
be settled it grows by rounds; each is decided from the files alone, so that a driver that dies between two loses none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import count
from typing import Any

from rich.console import Console

from analysis.frontier.settled import found
from analysis.labels import counted, listed, trial_number
from analysis.layout import StudyPaths, study_paths
from analysis.reading.manifest import is_replay
from analysis.reading.runs import read_study
from study.choosing import child
from study.choosing.child import Prepared
from study.choosing.choice import read_trial
from study.choosing.request import ChoiceError
from study.config import Resources, StudyConfig
from study.config.measurement import Measurement
from study.config.shares import AUTO
from study.config.stored import load_stored
from study.execution.executor import Backend
from study.files import stop
from study.measuring.request import Request
from study.measuring.rounds import next_round
from study.search.networks import trained
from trainables.config import TrialConfig, UserError
from trainables.metrics import Pretrained


def measure(
    request: Request,
    *,
    backend: Backend = "ray",
    address: str | None = None,
    restarted: bool = False,
    console: Console | None = None,
) -> StudyPaths:
    """Measure what is not yet measured, and return the paths of the study that holds the figures.

    ``restarted``: after a driver that died, as ``resume`` has it. Raises as ``launch`` does, and ``ChoiceError`` where
    there is nothing to measure.
    """
    run = partial(child.run, tracking_uri=request.tracking_uri, backend=backend, address=address, console=console)
    prepared = prepare(request)
    words, said = in_words(_measurement(prepared)), set(prepared.remarks)
    for number in count(2):
        paths = run(prepared, words, restarted=restarted)
        if (more := _next(request, prepared, paths)) is None:
            break
        words = f"round {number}: {_added(prepared, more)}"
        prepared = replace(more, remarks=tuple(remark for remark in more.remarks if remark not in said))
        said |= set(more.remarks)
    return paths


def prepare(request: Request) -> Prepared:
    """What would be measured: what has begun, and what is asked for now; writes nothing.

    All that is asked for is read anew, also what has begun: its network must be what it was, if it is still there.
    """
    paths = study_paths(request.study)
    parent = read_study(paths)
    if is_replay(parent.manifest):
        raise ChoiceError(f"{request.study} replays recorded trials and has trained no network; name a study that has")
    searched, begun = load_stored(paths), child.stored(request)
    known = _begun(request, begun)
    read = cache(partial(_read, paths, request, searched, begun))
    now = next_round(parent, searched, request, begun, read)
    numbers = [*known, *(number for number in now.numbers if number not in known)]
    best_cases = now.best_cases or (begun.measures.best_cases if begun and begun.measures else ())
    if not numbers:
        raise ChoiceError(
            f"no network of {request.study} that may stand on the frontier can be read. {now.lost[0].reason}"
        )
    asked = Measurement.of(request.study, list(map(read, numbers)), best_cases, now.lost)
    if begun is None:
        objectives, resources = request.objectives(searched, parent), _one_process(searched.resources)
        config = child.new_study(request, searched, asked, kind="measures", objectives=objectives, resources=resources)
    else:
        assert begun.measures is not None
        _check_alike(request, begun.measures, asked)
        config = child.longer(begun, asked)
    following = {number: how for number, how in now.following.items() if number not in numbers}
    return Prepared(config, parent, begun is not None, (*now.remarks, *_cautions(request)), following)


def in_words(measurement: Measurement) -> str:
    """``2 networks: trials 0003, 0007 of first``."""
    which = listed("trial", list(map(trial_number, measurement.trials)))
    return f"{counted(measurement.runs, 'network')}: {which} of {measurement.study}"


def _measurement(prepared: Prepared) -> Measurement:
    assert prepared.config.measures is not None
    return prepared.config.measures


def _next(request: Request, prepared: Prepared, paths: StudyPaths) -> Prepared | None:
    """The next round, after one that nobody stopped; ``None`` where there is none."""
    measurement = _measurement(prepared)
    stopped = stop.asked(paths) is not None or not set(measurement.trials) <= found(read_study(paths)).keys()
    if stopped or not (request.settles and measurement.best_cases):
        return None
    more = prepare(request)
    now = _measurement(more)
    return more if now.runs > measurement.runs or now.lost != measurement.lost else None


def _added(prepared: Prepared, more: Prepared) -> str:
    """Which trials the next round measures, in words; it may be none that can be read."""
    new = _measurement(more).trials[_measurement(prepared).runs :]
    if not new:
        return "what may still stand on the frontier under AutoAttack cannot be measured"
    return f"{listed('trial', list(map(trial_number, new)))} may still stand on the frontier under AutoAttack"


def _begun(request: Request, begun: StudyConfig | None) -> list[int]:
    if begun is None:
        return []
    if begun.measures is None or begun.measures.study != request.study:
        raise ChoiceError(
            f"{request.child} exists and measures nothing of {request.study}; choose another name with --name"
        )
    return begun.measures.trials


def _read(
    paths: StudyPaths, request: Request, searched: StudyConfig, begun: StudyConfig | None, number: int
) -> tuple[int, Any, TrialConfig, Pretrained]:
    """A trial that is to be measured; one that ``begun`` has it knows already, also where its network is gone.

    Raises ``UserError`` for another whose network cannot be read.
    """
    params, config = read_trial(paths.trial(number))
    try:
        known = trained(paths.name, number, config, searched.storage)
    except UserError:
        if (before := _known(begun, number)) is None:
            raise
        known = before
    return number, params, request.measured(config, searched.objectives), known


def _known(begun: StudyConfig | None, number: int) -> Pretrained | None:
    configurations = begun.measures.configurations if begun and begun.measures else ()
    return next((one.known.pretrained for one in configurations if one.trial == number), None)


def _check_alike(request: Request, begun: Measurement, asked: Measurement) -> None:
    """Raise ``ChoiceError`` unless ``asked`` begins with all that has ``begun``."""
    child.check_alike(request, begun.configs(), asked.configs()[: begun.runs])
    for before, now in zip(begun.configurations, asked.configurations, strict=False):
        if before.known.weights != now.known.weights:
            raise ChoiceError(
                f"trial {now.trial} of {request.study} is another network than {request.child} began with; "
                "choose another name with --name"
            )


def _one_process(asked: Resources) -> Resources:
    """Of several processes only the first evaluates, on one GPU."""

    def one(gpus: Any) -> Any:
        return gpus if gpus == AUTO else min(gpus, 1.0)

    gpus = asked.gpus_per_trial
    held = {name: one(each) for name, each in gpus.items()} if isinstance(gpus, dict) else gpus and one(gpus)
    return asked.model_copy(update={"gpus_per_trial": held, "processes_per_trial": None})


def _cautions(request: Request) -> Iterator[str]:
    if not request.changes:
        yield (
            f"measured as {request.study} was, whose figures must come again; "
            "--attack autoattack or --set evaluation... measures otherwise"
        )
    if request.settings.get("evaluation.split") == "test":
        yield "measured on test images: figures to report, and not to choose by"
