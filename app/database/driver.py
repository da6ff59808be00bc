"""PyMySQL's connection, for which the system's certificates are read once and not anew each time.

Where the URL says nothing of TLS, PyMySQL takes it from a server that offers it, whoever that is; to
believe none of them it reads every certificate of the system, 30 ms in which a worker does nothing else.
"""

import ssl
from typing import Any, ClassVar

from pymysql import connections


class Connection(connections.Connection):
    """As PyMySQL's own. What the URL says of TLS is still read for each: a certificate may be renewed."""

    _trusting: ClassVar[ssl.SSLContext | None] = None

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        if sslp:
            return self._make_context(sslp)
        if Connection._trusting is None:
            Connection._trusting = self._make_context(sslp)
        return Connection._trusting

    def _make_context(self, sslp: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._create_ssl_ctx(sslp)  # type: ignore[misc]
        return context
