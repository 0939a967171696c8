"""What tests of payouts on UTXO chains share: asking, mining, counting like an auditor, and a node whose answers get lost."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from exchange.ledger import reconciliation
from wallets import nodes, selectors
from wallets.models import Address, Payout
from wallets.services import payouts, withdrawals

ALICE, BOB = 101, 102
ASSETS = {"bitcoin": ("BTC", 1), "litecoin": ("LTC", 2)}
COIN = 10**8
TENTH = COIN // 10
WAIT_S = 60
KEYS = itertools.count()


def mine(house: Any, node: Any, count: int = 1, *, network: str = "bitcoin") -> Any:
    node.mine(count)
    return house.scan(network)


def mine_others(house: Any, node: Any, count: int) -> None:
    """Blocks that hold nothing of what waits."""
    for _ in range(count):
        node.rpc("generateblock", node.new_address(), [])
    house.scan("bitcoin")


def ask(address: str, amount: str = "0.1", *, user_id: int = ALICE, network: str = "bitcoin") -> Any:
    return withdrawals.request(
        user_id=user_id, asset=ASSETS[network][0], network=network, address=address, amount=amount,
        idempotency_key=f"out-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip


def state(view: Any) -> str:
    return selectors.withdrawal(view.user_id, view.id).state


def until(condition: Any, what: str) -> Any:
    """Runs the workers' job until this holds; the signer answers in its own time."""
    deadline = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        payouts.advance_all(now=timezone.now())
        time.sleep(0.02)
    return found


def all_are(views: Any, wanted: str) -> None:
    until(lambda: {state(view) for view in views} == {wanted}, f"{[state(view) for view in views]}, not {wanted}")


def broadcast(version_id: Any) -> Any:
    """The payout's version once it was sent; a child's is of its own payout."""
    from wallets.models import PayoutVersion

    def sent() -> Any:
        return PayoutVersion.objects.filter(pk=version_id, first_broadcast_at__isnull=False).first()

    return until(sent, f"version {PayoutVersion.objects.filter(pk=version_id).values()} was not sent")


def final(house: Any, node: Any, *, network: str = "bitcoin") -> None:
    """Mines until nothing of ours is under way."""
    mine(house, node, 12, network=network)
    assert not Payout.objects.filter(closed_at=None).exists()


def exact(house: Any, network: str = "bitcoin") -> bool:
    """The books sum to zero and equal, to the satoshi, what the node holds at our addresses."""
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses) == ((), ())
    assert f"wallets:{network}" not in report.unreachable
    assert house.sums_to_zero()
    asset_id = ASSETS[network][1]
    scripts = [bytes(s) for s in Address.objects.filter(network_id=asset_id).values_list("script", flat=True)]
    return -house.total("chain_wallet", asset_id) == nodes.chain(network).holdings(scripts).amount


@contextmanager
def losing_answers(node: Any) -> Iterator[Any]:
    """A way to the node on which every answer to a broadcast is lost: the node has it, and we do not know."""
    target = urlsplit(node.url)
    lost: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            upstream = http.client.HTTPConnection(target.hostname or "", target.port or 0, timeout=30)
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if self.headers[name]}
            upstream.request("POST", "/", body, headers)
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            if b"sendrawtransaction" in body:
                lost.append(content)
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://{target.username}:{target.password}@127.0.0.1:{server.server_port}"
        yield SimpleNamespace(url=url, lost=lost)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
