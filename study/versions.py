"""Which versions are installed, without loading any of them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PRODUCT = "robust-ssl-study"
FOUNDATIONS = ("torch", "ray", "optuna", "mlflow")
"""What computes, schedules, searches and tracks."""


def installed(package: str) -> str | None:
    """``None`` where it is not: a search in one process wants neither Ray nor MLflow."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
