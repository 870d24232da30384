"""The command that compares early stopping and samplers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands.app import command
from study.commands.show import print_rich
from study.files.disk import writing


@command("Example: study simulate synthetic --seeds 20 -o comparison.html   (or study simulate FILE)")
def simulate(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Recorded trials, synthetic, drawn, or one family's name.")
    ],
    samplers: Annotated[str, typer.Option(metavar="A,B", help="random, tpe, nsga2, ...")] = "random",
    schedulers: Annotated[
        str | None, typer.Option(metavar="A,B", help="none, asha_clean, ...; all if not given.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Searches of each kind.")] = 20,
    workers: Annotated[int, typer.Option(min=1, help="Trials side by side.")] = 4,
    trials: Annotated[float, typer.Option(min=1, help="Whole trials whose GPU-minutes each search may spend.")] = 40,
    warm_start: Annotated[
        int, typer.Option(min=0, metavar="N", help="Trials of an earlier study that early stopping learns from.")
    ] = 0,
    assignments: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="A number of the rule, eta=2 say; may be repeated.")
    ] = [],  # noqa: B006
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="The figure, HTML.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write all figures here, unrounded.")] = None,
) -> None:
    """Compare early stopping and samplers on recorded or synthetic curves, without training."""
    from rich.console import Console

    from analysis.comparing import comparison as figures
    from analysis.layout import write_json
    from study.config import early_stopping
    from study.config.file import parse_overrides
    from study.simulation import comparison
    from study.simulation.baselines import SCHEDULERS
    from study.simulation.scenarios import scenarios

    worlds = scenarios(source)
    for world in worlds:
        if (whole := comparison.whole_trials(world, trials)) < trials:
            typer.echo(f"{world.name} holds {world.pool} trials; a search may spend the minutes of {whole:g}", err=True)
    with Console(stderr=True).status("simulating") as status:
        found = comparison.compare(
            worlds,
            samplers=list(dict.fromkeys(samplers.split(","))),
            schedulers=list(dict.fromkeys(schedulers.split(",") if schedulers else SCHEDULERS)),
            seeds=seeds,
            workers=workers,
            trials=trials,
            warm_start=warm_start,
            rule=early_stopping(parse_overrides(assignments)).rule,
            progress=status.update,
        )
    print_rich(figures.comparison_table(found))
    for sentence in figures.verdicts(found):
        typer.echo(sentence)
    if json is not None:
        with writing(json):
            write_json(json, found.to_json())
    if output is not None:
        from analysis.figures.comparison import write_comparison

        with writing(output):
            write_comparison(found, output)
