"""PyMySQL's connection: certificates are read once where they mean nothing, and anew where they do."""

import ssl
from pathlib import Path

import pymysql
import pytest

from app.database.driver import Connection
from tests.network.test_tls import make_certificate


def test_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections of which the URL says nothing share what was read."""
    first = Connection(host="127.0.0.1", defer_connect=True)
    monkeypatch.setattr(ssl, "create_default_context", None)  # nobody reads them again

    second = Connection(host="localhost", defer_connect=True)

    assert first.ctx is second.ctx
    theirs = pymysql.Connection.__init__.__code__.co_names
    assert "_create_ssl_ctx" in theirs  # else there is nothing here to be thrifty with


def test_it_is_what_pymysql_makes_and_requires_no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "_trusting", None)
    ours = Connection(defer_connect=True)
    theirs = pymysql.Connection(defer_connect=True)

    assert (ours.ssl, ours._ssl_required) == (theirs.ssl, theirs._ssl_required)
    for name in ("verify_mode", "check_hostname", "options", "verify_flags", "minimum_version"):
        assert getattr(ours.ctx, name) == getattr(theirs.ctx, name), name


def test_certificates_that_are_named_are_read_for_each(tmp_path: Path) -> None:
    """The file may hold another by then."""
    named = {"ssl_ca": str(make_certificate(tmp_path, "127.0.0.1")), "ssl_verify_cert": True}
    first, second = (Connection(**named, defer_connect=True) for _ in range(2))

    assert first.ctx is not second.ctx
    assert first.ctx.verify_mode == ssl.CERT_REQUIRED
    assert first._ssl_required
