"""A hosted node service in front of a real anvil: keys in the URL, in a header or as a password, limits, 429, odd answers."""

from __future__ import annotations

import base64
import io
import json
import logging
import time
from dataclasses import replace

import pytest

from config import logs
from tests.integration.chains.between import Answer, between
from wallets.chains import registry
from wallets.chains.evm import rpc
from wallets.chains.protocol import ChainError, NodeRefused, NodeUnavailable, RateLimited

pytestmark = pytest.mark.node
KEY = "sk-0123456789abcdef"


@pytest.fixture
def service(anvil):
    """Passes on to anvil without the key, which anvil would not understand."""
    with between(anvil.url) as server:
        straight = server.forward
        server.forward = lambda asked: straight(replace(asked, path="/"))  # type: ignore[method-assign]
        yield server


def connect(service, *, path="", user="", header="", timeout_s=10.0):
    url = f"http://{user}{service.host}{path}"
    return registry.connect("ethereum", url=url, header=header, chain_id=31337, timeout_s=timeout_s)


def asked(service):
    return [json.loads(each.body) for each in service.seen]


def test_a_key_goes_in_the_path_in_a_header_or_as_a_password(service):
    connect(service, path=f"/v3/{KEY}").check()
    assert service.seen[-1].path == f"/v3/{KEY}"
    connect(service, header=f"X-Api-Key: {KEY}").check()
    assert service.seen[-1].headers["X-Api-Key"] == KEY
    connect(service, user=f"me:{KEY}@").check()
    assert base64.b64decode(service.seen[-1].headers["Authorization"].split()[1]).decode() == f"me:{KEY}"


def test_a_header_that_is_none_is_refused_without_being_told():
    with pytest.raises(NodeUnavailable) as told:
        registry.connect("ethereum", url="http://127.0.0.1:1", header=KEY, chain_id=1)
    assert KEY not in str(told.value)


@pytest.mark.parametrize("where", ["path", "header", "query", "password"])
def test_a_key_is_in_no_error_and_no_log_even_if_the_service_echoes_it(service, where, capsys):
    ways = {
        "path": {"path": f"/v3/{KEY}"},
        "header": {"header": f"Authorization: Bearer {KEY}"},
        "query": {"path": f"/rpc?apikey={KEY}"},
        "password": {"user": f"me:{KEY}@"},
    }
    chain = connect(service, **ways[where])
    echo = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": f"project {KEY} is unknown"}})
    service.behave = lambda asked, forward: Answer(echo.encode())
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    logging.getLogger("urllib3").setLevel(logging.NOTSET)
    logs.configure({"level": "DEBUG", "json": True})
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root.addHandler(handler)
    try:
        logging.getLogger("anybody").debug("debug lines are written")
        with pytest.raises(NodeRefused) as told:
            chain.check()
        service.behave = lambda asked, forward: Answer(drop=True)
        with pytest.raises(NodeUnavailable) as gone:
            chain.check()
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        root.handlers[:] = before[1]
    assert "debug lines are written" in written.getvalue()
    said = written.getvalue() + capsys.readouterr().err
    for error in (told.value, gone.value):
        said += f"{error!s} {error!r}"
        assert error.__cause__ is None
    assert KEY not in said
    assert "***" in str(told.value)


def test_it_waits_as_long_as_it_is_told_and_asks_again(service):
    answers = iter([Answer(b"{}", 429, {"Retry-After": "1"}), Answer(b"slow down", 429, {"Retry-After": "0"})])
    service.behave = lambda asked, forward: next(answers, None) or forward()
    started = time.monotonic()
    connect(service).check()
    assert time.monotonic() - started >= 1
    assert len(service.seen) == 3


def test_a_service_that_wants_a_longer_pause_than_there_is_time_says_so_at_once(service):
    service.behave = lambda asked, forward: Answer(b"", 429, {"Retry-After": "86400"})
    with pytest.raises(RateLimited):
        connect(service).check()
    assert len(service.seen) == 1


@pytest.mark.parametrize("code", [-32005, 429, -32029])
def test_a_limit_told_inside_the_answer_is_no_refusal_of_what_was_asked(service, code):
    limit = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "daily request count exceeded"}})
    service.behave = lambda asked, forward: Answer(limit.encode())
    with pytest.raises(RateLimited):
        connect(service).check()


def test_a_wrong_key_is_said_to_be_one(service):
    service.behave = lambda asked, forward: Answer(b'{"error":"invalid key"}', 401)
    with pytest.raises(NodeUnavailable, match="does not take our key"):
        connect(service).check()


def test_many_questions_go_in_batches_that_services_take(service, anvil):
    chain = connect(service)
    keys = [number.to_bytes(20, "big") for number in range(5_001, 5_121)]
    anvil.send("0x" + keys[3].hex(), 7)
    anvil.mine()
    service.seen.clear()
    assert chain.holdings(keys).amount == 7
    sizes = [len(body) for body in asked(service) if isinstance(body, list)]
    assert sizes == [rpc.BATCH_MAX, rpc.BATCH_MAX, 20]


def test_a_service_without_batches_is_asked_one_by_one(service, anvil):
    def no_batches(asked, forward):
        if asked.body.startswith(b"["):
            return Answer(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches are not supported"}}')
        return forward()

    service.behave = no_batches
    assert connect(service).holdings([(77).to_bytes(20, "big"), (78).to_bytes(20, "big")]).amount == 0


def test_a_batch_out_of_order_is_put_in_order_and_one_with_holes_is_refused(service, anvil):
    keys = [number.to_bytes(20, "big") for number in (901, 902, 903)]
    for place, key in enumerate(keys):
        anvil.send("0x" + key.hex(), 10**place)
    anvil.mine()
    client = rpc.Rpc(f"http://{service.host}", timeout_s=10)
    calls = [("eth_getBalance", ("0x" + key.hex(), "latest")) for key in keys]

    def shuffled(asked, forward):
        return Answer(json.dumps(json.loads(forward().body)[::-1]).encode())

    service.behave = shuffled
    assert [int(each, 16) for each in client.batch(calls)] == [1, 10, 100]
    service.behave = lambda asked, forward: Answer(json.dumps(json.loads(forward().body)[1:]).encode())
    with pytest.raises(NodeUnavailable):
        client.batch(calls)


def test_a_service_without_block_receipts_is_asked_for_each_in_batches(service, anvil):
    def without(asked, forward):
        if b"eth_getBlockReceipts" in asked.body:
            return Answer(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"method not supported"}}')
        return forward()

    service.behave = without
    to = (0xABCDEF).to_bytes(20, "big")
    for _ in range(3):
        anvil.send("0x" + to.hex(), 5)
    anvil.mine()
    chain = connect(service)
    assert [each.amount for each in chain.block(chain.tip().height).credits({to})] == [5, 5, 5]


def test_an_answer_that_never_ends_is_given_up(service, monkeypatch):
    monkeypatch.setattr(rpc, "ANSWER_SIZE_MAX", 1_000)
    service.behave = lambda asked, forward: Answer(b"[" + b"1," * 100_000)
    with pytest.raises(NodeUnavailable, match="too large"):
        connect(service).check()


def test_a_refused_broadcast_for_too_many_questions_may_be_sent_again(service, anvil):
    limit = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"rate"}}'
    service.behave = lambda asked, forward: Answer(limit) if b"sendRaw" in asked.body else forward()
    from tests.integration.chains.parties import ethereum

    raw, _ = ethereum(anvil).own_transaction()
    chain = connect(service)
    with pytest.raises(ChainError) as told:
        chain.broadcast(raw)
    assert told.value.code == "rate_limited"  # unknown, never "refused"
    service.behave = lambda asked, forward: forward()
    chain.broadcast(raw)
    anvil.mine()
