"""Connects to addresses of the open internet alone, for places that customers name.

The name is looked up once, each of its addresses is judged, and the connection goes to one that was judged: a name that answers
with another address a moment later (DNS rebinding) gains nothing. The certificate is checked against the name as ever.
What must never happen here: a connection made by name.
"""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import connection as urllib3_connection

from exchange.outgoing import places


def _connect(conn: HTTPConnection) -> socket.socket:
    try:
        last: OSError = places.NotAllowed("no address")
        for address in places.public(conn.host, int(conn.port or 443)):
            try:
                return urllib3_connection.create_connection(
                    (address, int(conn.port or 443)), conn.timeout, socket_options=conn.socket_options
                )
            except OSError as error:
                last = error
        raise last
    except TimeoutError:
        raise ConnectTimeoutError(conn, f"{conn.host} did not answer in time.") from None
    except OSError as error:
        raise NewConnectionError(conn, f"No connection to {conn.host} ({type(error).__name__}).") from None


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _Sealed(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SealedPool(HTTPSConnectionPool):
    ConnectionCls = _Sealed


class Adapter(HTTPAdapter):
    """What a session is mounted with. Through a proxy requests makes pools of its own, and the proxy connects."""

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SealedPool}
