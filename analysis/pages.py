"""Addresses of MLflow's pages, after a server's own."""

from __future__ import annotations

_TRAINING = "workflowType=machine_learning"
"""Without it MLflow shows what it has for language models."""


def run_page(experiment_id: str, run_id: str, part: str = "") -> str:
    """The page of one run or a part of it."""
    return f"#/experiments/{experiment_id}/runs/{run_id}{part}?{_TRAINING}"


def trials_page(experiment_id: str, view: str = "trials") -> str:
    """The table of trials, or by the view ``study`` the study's run with its trials beneath."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={view}&{_TRAINING}"
