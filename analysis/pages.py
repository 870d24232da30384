"""Addresses of MLflow: a store's as it may be shown, and pages' after a server's own."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_TRAINING = "workflowType=machine_learning"
"""Without it MLflow shows what it has for language models."""


def redact(uri: str) -> str:
    """``uri`` without user, password, query and fragment: fit to be printed and stored."""
    public = re.sub(r"(?<=://).*@", "", uri)  # to the last @: a password may hold / ? # and still work
    try:
        parts = urlsplit(public)
    except ValueError:  # an unclosed bracket: no address, and shown as such
        return public.partition("?")[0]
    if not parts.netloc:
        return public.partition("?")[0]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def run_page(experiment_id: str, run_id: str, part: str = "") -> str:
    """The page of one run or a part of it."""
    return f"#/experiments/{experiment_id}/runs/{run_id}{part}?{_TRAINING}"


def trials_page(experiment_id: str, view: str = "trials") -> str:
    """The table of trials, or by the view ``study`` the study's run with its trials beneath."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={view}&{_TRAINING}"
