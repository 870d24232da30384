"""``python -m trainables table1/cf_amc_ssl [--set views.number=8]``: runs one recipe where torch is all there is."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from trainables.config import UserError, assignment, override
from trainables.metrics import EpochReport
from trainables.pretrain import DivergedError
from trainables.recipes import RECIPES, recipe
from trainables.trial import run


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake and for a configuration that diverges, or 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        config = override(recipe(options.recipe), dict(map(assignment, options.set)))
        result = run(
            config, checkpoint=options.checkpoint, report=_print_epoch, progress=_print_stage, warn=_print_stage
        )
    except (UserError, DivergedError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        kept = options.checkpoint
        sys.stderr.write("stopped; " + (f"the same command goes on from {kept}" if kept else "nothing is kept") + "\n")
        return 130
    sys.stdout.write(json.dumps(result.to_dict(), indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainables",
        description="Train and evaluate one of the papers' rows; the result is printed as JSON.",
        epilog="example: python -m trainables table1/cf_amc_ssl --set data.download=true --set optimiser.epochs=1",
    )
    parser.add_argument("recipe", help=f"one of {', '.join(RECIPES)}")
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
