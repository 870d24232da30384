"""What runs where torch is all there is.

``python -m trainables table1/cf_amc_ssl [--set views.number=8]`` runs one recipe, ``python -m trainables --check
vicreg_pgd`` tells whether a trainable, a package's own say, or a package's attack keeps to what the platform promises
of all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from trainables import attack_contract, packages
from trainables.catalogue import check, default_config, names
from trainables.config import ConfigError, UserError, assignment, override
from trainables.contract import outcomes, small
from trainables.evaluation.attack import find
from trainables.harmless import harmless
from trainables.metrics import EpochReport
from trainables.pretrain import DivergedError
from trainables.recipes import RECIPES, recipe
from trainables.trial import run


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 2 for a user's mistake, a configuration that diverges or a broken promise; 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        changes = dict(map(assignment, options.set))
        if options.check is not None:
            return _check(options.check, changes)
        config = override(recipe(options.recipe), changes)
        result = run(
            config, checkpoint=options.checkpoint, report=_print_epoch, progress=_print_stage, warn=_print_stage
        )
    except (UserError, DivergedError) as error:
        sys.stderr.write(f"{harmless(str(error))}\n")
        return 2
    except KeyboardInterrupt:
        kept = options.checkpoint
        sys.stderr.write("stopped; " + (f"the same command goes on from {kept}" if kept else "nothing is kept") + "\n")
        return 130
    sys.stdout.write(json.dumps(result.to_dict(), indent=2) + "\n")
    return 0


def _check(name: str, changes: Mapping[str, Any]) -> int:
    """Print, promise by promise, what holds of the trainable or attack ``name`` and what does not."""
    torch.set_num_threads(1)  # on several, so small a network takes longer
    kind, found = _outcomes(name, changes)
    kept, seen = True, set[str | None]()
    for promise, broken in found:
        how = "the same" if broken in seen else broken
        sys.stdout.write(f"holds   {promise}\n" if broken is None else f"BROKEN  {promise}: {harmless(str(how))}\n")
        sys.stdout.flush()
        kept, seen = kept and broken is None, seen | {broken}
    sys.stdout.write(f"{name} {'keeps' if kept else 'does not keep'} to what every {kind} must\n")
    return 0 if kept else 2


def _outcomes(name: str, changes: Mapping[str, Any]) -> tuple[packages.Kind, Iterator[tuple[str, str | None]]]:
    """What ``name`` is, and its promises, kept or not."""
    trainables = names()
    if name in trainables or packages.brings("trainable", name):
        config = override(small(default_config(name)), changes)
        check(config)
        return "trainable", outcomes(config)
    if not packages.brings("attack", name):
        remedy = packages.remedy(name, packages.names("attack", trainables))
        raise ConfigError(f"no trainable and no attack of a package is called {name!r}; {remedy}")
    if changes:
        raise ConfigError("--set means nothing to an attack; leave it out")
    attack = find(name)
    assert attack is not None
    return "attack", attack_contract.outcomes(attack)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainables",
        description="Train and evaluate one of the papers' rows; the result is printed as JSON. Or check a trainable, "
        "or an attack.",
        epilog="examples: python -m trainables table1/cf_amc_ssl --set data.download=true --set optimiser.epochs=1; "
        "python -m trainables --check cf_amc_ssl",
    )
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("recipe", nargs="?", help=f"one of {', '.join(RECIPES)}")
    wanted.add_argument(
        "--check",
        metavar="NAME",
        help="say in seconds, on a few digits, whether your own trainable or attack keeps to what all must",
    )
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="replace one setting")
    parser.add_argument("--checkpoint", type=Path, help="continue from this file, and keep it up to date")
    return parser


def _print_epoch(report: EpochReport) -> None:
    sys.stderr.write(
        f"epoch {report.epoch}/{report.epochs}  loss {report.loss:.3f}"
        f"  probe {report.probe_accuracy:.1%} / {report.probe_pgd_accuracy:.1%}"
        f"  {report.seconds:.0f} s\n"
    )


def _print_stage(words: str) -> None:
    sys.stderr.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main())
