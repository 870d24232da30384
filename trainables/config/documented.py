"""What settings mean: the docstrings under the fields of a class, which Python itself drops."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

from trainables.config.leaves import sections
from trainables.config.trial import TrialConfig


@cache
def meanings() -> Mapping[str, str]:
    """By dotted path what each leaf of a ``TrialConfig`` means; own weights under ``objective.weights``."""
    found = dict(field_docstrings(TrialConfig))
    for name, section in sections().items():
        found |= {f"{name}.{field}": text for field, text in field_docstrings(section).items()}
    return found


@cache
def section_meanings() -> Mapping[str, str]:
    """By name what each section of a ``TrialConfig`` is about."""
    return {name: plain(inspect.getdoc(section) or "") for name, section in sections().items()}


@cache
def field_docstrings(kind: type) -> Mapping[str, str]:
    """By name what the docstrings under the fields of ``kind`` say, in one line each; fields without one are absent."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: plain(text.value.value)
        for field, text in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def plain(docstring: str) -> str:
    """Its first paragraph in one line, without marks of code and of provenance, ``None`` as files have it."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    unmarked = re.sub(r" \[[A-Z]\](?=[.;,:)]|$)", "", paragraph.replace("``", ""))
    return re.sub(r"\bNone\b", "null", unmarked)
