"""Commands that write for papers: tables and figures."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from study.commands.app import command
from study.commands.options import FromMlflow, Name, Studies
from study.commands.show import paths_of, read
from study.files.disk import writing
from trainables.config import UserError


class Image(StrEnum):
    """Formats of figures."""

    SVG = "svg"
    PDF = "pdf"
    PNG = "png"


@command("Example: study tables demo --format latex -o demo.tex")
def tables(
    name: Name,
    kind: Annotated[
        Literal["markdown", "csv", "latex"] | None,
        typer.Option("--format", help="What to write; by the suffix of -o (.md, .csv, .tex), else markdown."),
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(
            metavar="TABLES",
            help="Published tables to set beside it, with all their rows, separated by commas: table1 to table5, "
            "leaderboard; or none. Without it, the rows of all of them that compare with the study's.",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.")] = None,
    tracking_uri: FromMlflow = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """A study's figures beside the published ones, best and second best marked."""
    from analysis.layout import write_atomically
    from analysis.papers.beside import beside
    from analysis.tables.typeset import SUFFIXES, typeset

    chosen = kind or (SUFFIXES.get(output.suffix.lower(), "markdown") if output else "markdown")
    text = typeset(beside(read(name, tracking_uri), _tables(published)), chosen)
    if output is None:
        typer.echo(text, nl=False)
    else:
        with writing(output):
            write_atomically(output, text)
        typer.echo(output)


@command("Example: study figures demo --format pdf --width 88mm")
def figures(
    name: Name,
    folder: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Where to write them; figures/ of the study.")
    ] = None,
    formats: Annotated[list[Image] | None, typer.Option("--format", help="May be repeated; all without.")] = None,
    width: Annotated[
        str, typer.Option(metavar="WIDTH", help="88mm or 700px, say; parallel coordinates take what they need.")
    ] = "178mm",
    scale: Annotated[float, typer.Option(min=0.1, max=20, help="Pixels of a PNG for each of 1/96 inch.")] = 3.0,
    tracking_uri: FromMlflow = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Write a study's figures for a paper: on white, in 8 point type, each as SVG, PDF and PNG.

    A figure is NAME.svg, and NAME-CHOICE.svg what its menu shows further. The last line, alone on standard output, is
    their folder.
    """
    from analysis.figures.curves import curves_by_trainable
    from analysis.figures.gallery import all_figures
    from analysis.figures.planes import plane_pairs
    from analysis.labels import counted
    from analysis.printing.drawing import write_images
    from analysis.printing.static import PX_PER_MM, laid_out_px, papers
    from analysis.searched.importance import importances

    width_px, study = _pixels(width), read(name, tracking_uri)
    into = folder or (paths_of(name).figures if tracking_uri is None else Path(f"{name}-figures"))
    across = laid_out_px(width_px)
    together = all_figures(study, importances(study), plane_pairs(study), width_px=across)
    alone = {f"curves-{name}": figure for name, figure in curves_by_trainable(study, across).items()}
    drawn = papers(together | alone, width_px)
    if not drawn:
        raise UserError(f"there is nothing to draw yet: no trial of {name} has finished; `study status {name}`")
    kinds = dict.fromkeys(formats or Image)
    images = [(drawing, into / f"{figure}.{kind}") for figure, drawing in drawn.items() for kind in kinds]
    with writing(into):
        write_images(images, scale)
    for figure, drawing in drawn.items():
        if (needs := drawing.layout.width) > round(width_px):
            typer.echo(f"{figure} is {needs / PX_PER_MM:.0f} mm wide, which its coordinates need", err=True)
    typer.echo(f"{counted(len(drawn), 'figure')} as {', '.join(kind.upper() for kind in kinds)} in", err=True)
    typer.echo(into)


def _pixels(width: str) -> float:
    """Of 1/96 inch, as browsers have them."""
    from analysis.printing.static import PX_PER_MM

    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(mm|px)", width.strip())
    pixels = float(found[1]) * (PX_PER_MM if found[2] == "mm" else 1) if found else math.nan
    if not 60 * PX_PER_MM <= pixels <= 5000:
        raise UserError(f"--width is {width!r}; give a width of 60 to 1300 mm, 88mm or 700px say")
    return pixels


def _tables(names: str | None) -> list[str] | None:
    """In the order of publication, whatever the order of ``names``; ``None`` where none are asked for."""
    from analysis.papers.beside import TABLES

    if names is None:
        return None
    wanted = {name.strip() for name in names.split(",")} - {"none", ""}
    if unknown := sorted(wanted - TABLES.keys()):
        raise UserError(f"--published has no {', '.join(map(repr, unknown))}; choose from {', '.join(TABLES)}, none")
    return [name for name in TABLES if name in wanted]
