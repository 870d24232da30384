"""Addresses of MLflow stores: which are accepted, which answer, and how they are shown without their secrets."""

from __future__ import annotations

import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from analysis.layout import StudyPaths, default_tracking_uri
from analysis.pages import redact
from trainables.config import UserError

DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
PROBE_TIMEOUT_S = 5.0


class TrackingError(UserError):
    """MLflow cannot be used as asked; names the address, without secrets, and the remedy."""


def resolve_uri(uri: str | None, paths: StudyPaths) -> str:
    """``uri`` with an absolute path and the driver that is installed, the studies folder's own database for ``None``.

    Raises ``TrackingError`` for a bare path and any other address that MLflow would take for a file store.
    """
    if uri is None:
        return default_tracking_uri(paths.root.parent)
    if uri.startswith("sqlite:///") and len(uri) > len("sqlite:///") and ":memory:" not in uri:
        return f"sqlite:///{Path(uri.removeprefix('sqlite:///')).absolute()}"
    if _is_address(uri) and (is_server(uri) or _database(uri) in DATABASE_PORTS):
        _require_readable(uri)
        return re.sub(r"^postgresql://", "postgresql+psycopg2://", uri.rstrip("/"))
    raise TrackingError(
        f"tracking.uri is {redact(uri)!r}; give http://HOST:PORT of an MLflow server or "
        f"sqlite:///{paths.root.parent / 'mlflow.db'}"
    )


def _is_address(uri: str) -> bool:
    try:
        return bool(urlsplit(uri).scheme)
    except ValueError:  # an unclosed bracket, or in brackets what is no IPv6 address
        return False


def _require_readable(uri: str) -> None:
    parts = urlsplit(uri)
    try:
        ambiguous = "@" in parts.path + parts.query + parts.fragment or parts.port == 0
    except ValueError:  # what should be the port is part of the password
        ambiguous = True
    if ambiguous:
        raise TrackingError(f"tracking.uri {redact(uri)!r} is ambiguous; write / ? # of a password as %2F %3F %23")


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://")) and bool(urlsplit(uri).hostname)


def _database(uri: str) -> str:
    """``postgresql`` of ``postgresql+psycopg2://...``."""
    return urlsplit(uri).scheme.partition("+")[0]


def check_reachable(uri: str, remedy: str) -> None:
    """Raise ``TrackingError`` within seconds if nothing answers at ``uri``; ``remedy`` says what to do about it."""
    if (cause := silence(uri)) is not None:
        raise TrackingError(f"MLflow does not answer at {redact(uri)} ({cause}); {remedy}")


def silence(uri: str) -> str | None:
    """Why nothing answers at ``uri``, found out within seconds; ``None`` if something does: any answer will do."""
    try:
        if is_server(uri):
            _probe_server(uri)
        elif _database(uri) in DATABASE_PORTS:
            _probe_database(urlsplit(uri))
    except OSError as error:
        return _cause(error)
    return None


def _probe_server(uri: str) -> None:
    try:
        # is_server admits http and https alone
        with urllib.request.urlopen(f"{redact(uri)}/health", timeout=PROBE_TIMEOUT_S):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (502, 503, 504):  # the gateway answers, the server behind it does not
                raise
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # MLflow has settings of its own for certificates
            raise


def _probe_database(parts: SplitResult) -> None:
    if parts.hostname:
        port = parts.port or DATABASE_PORTS[parts.scheme.partition("+")[0]]
        socket.create_connection((parts.hostname, port), timeout=PROBE_TIMEOUT_S).close()


def _cause(error: OSError) -> str:
    return str(error.reason if isinstance(error, urllib.error.URLError) else error) or type(error).__name__


@contextmanager
def in_a_line(uri: str, remedy: str) -> Iterator[None]:
    """What MLflow at ``uri`` raises becomes a ``TrackingError`` without secrets; ``remedy``: what to do about it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        problem = redact_message(str(error) or type(error).__name__, uri)
        raise TrackingError(f"MLflow at {redact(uri)}: {problem}; {remedy}") from error


def redact_message(message: str, uri: str) -> str:
    """The first line of ``message`` with every secret of ``uri`` taken out."""
    parts = urlsplit(uri)
    line = (message.strip().splitlines() or [""])[0].replace(uri, redact(uri))
    for secret in (parts.netloc.rpartition("@")[0], parts.password, parts.query):
        line = line.replace(secret, "***") if secret else line
    return line
