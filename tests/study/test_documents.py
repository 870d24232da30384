"""README and guides: their study files load, their commands parse, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from study.commands.main import app
from study.config import StudyConfig

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("[!.]*/*.md")])


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands(document: str) -> Iterator[list[str]]:
    """What follows ``study`` on the lines of a console."""
    for block in blocks(document, "console"):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if line.startswith("$ study "):
                yield shlex.split(line.removeprefix("$ study "), comments=True)


COMMANDS = [(document, words) for document in DOCUMENTS for words in commands(document)]
FILES = [(document, text) for document in DOCUMENTS for text in blocks(document, "yaml")]


def test_there_are_documents_to_look_at():
    assert {"README.md", "docs/results.md", "cluster/README.md", "results/README.md"} <= {*DOCUMENTS}
    assert len(COMMANDS) > 40
    assert len(FILES) > 2


@pytest.mark.parametrize(("document", "words"), COMMANDS, ids=lambda value: " ".join(value) if value[1:] else None)
def test_a_command_that_is_shown_is_one(document, words):
    name, *arguments = words
    command = typer.main.get_command(app).get_command(None, name)
    assert command is not None, f"{document}: there is no command {name}"
    command.make_context(name, list(arguments))


@pytest.mark.parametrize(("document", "text"), FILES, ids=[document for document, _ in FILES])
def test_a_study_file_that_is_shown_loads(document, text, tmp_path):
    rest = "" if "name:" in text else "name: any\ntrainables: [cf_amc_ssl, robust_simclr]\nbudget: {trials: 3}\n"
    file = tmp_path / "study.yaml"
    file.write_text(rest + text)
    assert StudyConfig.load(file).search_space().distributions, document


def test_the_file_for_two_cpu_cores_is_the_one_that_is_shown():
    assert (ROOT / "docs" / "digits.yaml").read_text("utf-8") in blocks("docs/study-file.md", "yaml")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    text, folder = (ROOT / document).read_text("utf-8"), (ROOT / document).parent
    for target, _, heading in re.findall(r"\]\((?!https?://)([^)#]*)(#([^)]*))?\)", text):
        found = folder / target if target else ROOT / document
        assert found.exists(), target
        assert not heading or heading in headings(found), f"{target}#{heading}"


def headings(path: Path) -> set[str]:
    """As links name them."""
    found = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
