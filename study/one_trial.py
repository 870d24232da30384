"""One trial in this process, without Ray, tracking or a study's folder."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis import labels
from analysis.layout import write_json
from study.resources.needs import device_in_words
from study.say import say
from trainables.catalogue import pretrain_forward_equivalents
from trainables.config import TrialConfig, UserError
from trainables.data import Splits
from trainables.metrics import STANDARD, Accuracy, EpochReport, TrialResult
from trainables.pretrain import DivergedError
from trainables.trial import run


def train(config: TrialConfig, checkpoint: Path | None, json: Path | None, console: Console) -> TrialResult:
    """Run ``config``, telling ``console`` of every epoch and of the figures; ``json`` receives the whole result.

    What is about to be trained is told on stderr, for the first epoch may take long.
    Raises ``UserError`` where the configuration cannot be run, or diverges.
    """

    tell = partial(say, console)

    def begin(splits: Splits) -> None:
        sys.stderr.write(f"{outset(config, splits)}\n")

    def report(epoch: EpochReport) -> None:
        tell(epoch_line(epoch))

    for path in filter(None, (checkpoint, json)):
        check_writable(path)
    try:
        with console.status("training") as status:
            result = run(config, checkpoint=checkpoint, report=report, progress=status.update, warn=tell, begin=begin)
    except DivergedError as error:
        raise UserError(str(error)) from error
    console.print(result_table(config, result))
    if result.verdict is not None:
        tell(f"{result.head} head: {result.verdict}")
    if json is not None:
        write_json(json, result.to_dict())
    return result


def check_writable(path: Path) -> None:
    """``UserError`` now rather than an error after hours of training."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another place") from error


def outset(config: TrialConfig, splits: Splits) -> str:
    """What will be trained on what, and what that costs."""
    work = labels.cost(pretrain_forward_equivalents(config, len(splits.train)))
    epochs = labels.counted(config.optimiser.epochs, "epoch")
    return (
        f"{splits.description}; {config.network.words()}, on {device_in_words(config.device)}; "
        f"{epochs} of pre-training cost {work} forward-equivalents"
    )


def epoch_line(report: EpochReport) -> str:
    return (
        f"epoch {report.epoch}/{report.epochs}  loss {report.loss:.4g}  clean {report.loss_clean:.4g}"
        f"  FGSM {report.loss_fgsm:.4g}  PGD {report.loss_pgd:.4g}"
        f"  probe {report.probe_accuracy:.1%} / {report.probe_pgd_accuracy:.1%}"
        f"  {labels.duration(report.seconds)}"
    )


def result_table(config: TrialConfig, result: TrialResult) -> Table:
    """Every head's accuracies in percent with their 95 % intervals."""
    spent = f"{labels.cost(result.cost.pretrain_forward_equivalents)} forward-equivalents"
    took = labels.duration(60 * (result.cost.pretrain_minutes + result.cost.evaluation_minutes))
    table = Table(title=f"{config.trainable}: {result.data}; {spent}, {took}", title_justify="left")
    table.add_column("Head")
    table.add_column("Clean, %", justify="right")
    for attack in result.chosen.attacks:
        table.add_column(f"PGD-{attack.steps} {labels.epsilon(attack.epsilon)}, %", justify="right")
    for found in result.chosen.auto_attack:
        title = "AutoAttack" if found.version == STANDARD else found.version
        table.add_column(f"{title} {labels.epsilon(found.epsilon)}, % of {found.clean.images} images", justify="right")
    for own in result.chosen.own_attacks:
        table.add_column(f"Under {own.name}, %", justify="right")
    for head in result.heads:
        gradients = [attack.worst for attack in head.attacks]
        auto_attack = [found.worst for found in head.auto_attack]
        own_attacks = [found.accuracy for found in head.own_attacks]
        table.add_row(head.name, *map(_cell, (head.clean, *gradients, *auto_attack, *own_attacks)))
    return table


def _cell(accuracy: Accuracy) -> str:
    return labels.percent_interval(accuracy.value, *accuracy.interval())
