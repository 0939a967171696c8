"""A log-in that was ended from afar acts no more, over REST or on a websocket, though the server trusted it a moment ago."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests
from allauth.usersessions.models import UserSession
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from exchange.accounts.services import exporting, not_me, sessions
from tests.integration.api.conftest import ANSWER_S, Customer, Exchange
from tests.integration.api.test_api_websocket import PATIENCE_S, opened
from trading.sockets.messages import CLOSE_LOG_IN_ENDED


def both(exchange: Exchange, name: str) -> tuple[Customer, Customer]:
    """Two log-ins of one customer, both trusted by the server."""
    first = exchange.customer(name)
    second = Customer(exchange.url, first.user_id, first.email, exchange.log_in(first.email))
    for each in (first, second):
        assert each.get("me").status_code == each.get("orders").status_code == 200
    return first, second


def ends(reader: Any) -> None:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            reader.connection.recv(PATIENCE_S)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == CLOSE_LOG_IN_ENDED


@pytest.fixture
def lost(exchange: Exchange) -> Iterator[tuple[Customer, Customer, Any]]:
    """Mine, the lost device, and a websocket that the lost one has open."""
    mine, other = both(exchange, uuid4().hex[:8])
    with opened(exchange, token=other.token) as reader:
        reader.subscribe("balances")
        yield mine, other, reader


def test_a_session_ended_from_afar(exchange: Exchange, lost: tuple[Customer, Customer, Any]) -> None:
    mine, other, reader = lost
    row = UserSession.objects.get(session_key=other.token)
    sessions.end(user_id=mine.user_id, session_id=row.id, now=timezone.now())
    assert other.get("me").status_code == other.get("orders").status_code == 401
    order = {"market": "BTC-USDT", "side": "buy", "type": "limit", "price": "1", "quantity": "1"}
    assert other.post("orders", json=order).status_code == 401
    ends(reader)
    assert mine.get("me").status_code == 200


def test_all_sessions_end_with_the_link_that_freezes(exchange: Exchange, lost: tuple[Customer, Customer, Any]) -> None:
    mine, other, reader = lost
    path = not_me.make(user_id=mine.user_id, sent_to=mine.email, about="test", now=timezone.now())
    page = requests.Session()
    looked = page.get(exchange.url + path, timeout=ANSWER_S)
    assert looked.status_code == 200 and mine.get("me").status_code == 200
    done = page.post(
        exchange.url + path,
        data={"csrfmiddlewaretoken": page.cookies["csrftoken"]},
        headers={"Referer": exchange.url},
        timeout=ANSWER_S,
    )
    assert done.status_code == 200
    for each in (mine, other):
        assert each.get("me").status_code == each.get("orders").status_code == 401
    ends(reader)
    answer = requests.post(
        f"{exchange.url}/_allauth/app/v1/auth/login",
        json={"email": mine.email, "password": "correct horse battery staple"},
        timeout=ANSWER_S,
    )
    assert answer.status_code != 200


def test_a_copy_of_the_data_comes_piece_by_piece_from_a_running_server(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ASGI, where a blocking iterator would be gathered whole before the first byte."""
    customer = exchange.customer(uuid4().hex[:8])
    monkeypatch.setattr(exporting, "PIECE_BYTES", 300)
    export_id = exporting.request(user_id=customer.user_id, now=timezone.now())
    assert exporting.make(export_id=export_id, now=timezone.now())
    link = f"{exchange.url}/account/export/{export_id}/"
    assert requests.get(link, timeout=ANSWER_S, allow_redirects=False).status_code == 302
    answer = requests.get(link, cookies={"sessionid": customer.token}, timeout=ANSWER_S)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert json.loads(archive.read("profile.json"))[0]["email"] == customer.email
