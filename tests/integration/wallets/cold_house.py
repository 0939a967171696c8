"""Two members of staff and what they do about cold coins, for the tests of services and of pages."""

from __future__ import annotations

import time

from django.utils import timezone
from trezorlib.client import get_default_client, get_default_session

from custody.signers import psbt_view, trezor
from exchange.ledger import reconciliation
from exchange.outbox.models import Event
from wallets import nodes
from wallets.chains.utxo.parameters import parameters
from wallets.models import Address, ColdWallet, Payout
from wallets.services import cold_wallets, payouts, returns, shares

BTC, COIN = 1, 10**8
ANNA, BERT = 501, 502
REGTEST = parameters("bitcoin", "regtest")


def open_wallet(text, *, name="Drawer", network="bitcoin"):
    """Proposed by one, approved by the other, who reads the first address off the device."""
    wallet_id = cold_wallets.propose(network=network, name=name, text=text, actor_id=ANNA, now=timezone.now())
    typed = cold_wallets.first_address(ColdWallet.objects.get(pk=wallet_id))[-8:]
    cold_wallets.approve(wallet_id=wallet_id, typed=typed, actor_id=BERT, now=timezone.now())
    return ColdWallet.objects.get(pk=wallet_id)


def open_share(percent, floor, least="0.05", *, asset="BTC", network="bitcoin"):
    share_id = shares.propose(
        asset=asset, network=network, percent=percent, floor=floor, least=least, actor_id=ANNA, now=timezone.now()
    )
    shares.approve(share_id=share_id, actor_id=BERT, now=timezone.now())


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("bitcoin")


def settled(payout_id, state, *, seconds=60):
    """Runs the workers' job until the payout is in this state."""
    deadline = time.monotonic() + seconds
    while True:
        payouts.advance_all(now=timezone.now())
        payout = Payout.objects.get(pk=payout_id)
        if payout.state == state:
            return payout
        assert time.monotonic() < deadline, (payout.state, list(payout.versions.values("refusal", "last_error")))
        time.sleep(0.05)


def proposal(amount, *, asset="BTC", network="bitcoin", **more):
    payout_id = returns.propose(asset=asset, network=network, amount=amount, actor_id=ANNA, now=timezone.now(), **more)
    returns.approve(payout_id=payout_id, actor_id=BERT, now=timezone.now())
    return payout_id


def signed_by(device, content):
    session = get_default_session(get_default_client("bourse tests", device.path))
    return trezor.sign_psbt(session, psbt_view.look(content, REGTEST), REGTEST)


def bring(payout_id, content):
    return returns.import_signed(payout_id=payout_id, content=content, actor_id=BERT, now=timezone.now())


def file_of(payout_id):
    return returns.export(payout_id=payout_id, actor_id=ANNA, now=timezone.now()).content


def topics(prefix):
    return list(Event.objects.filter(topic__startswith=prefix).order_by("id").values_list("topic", flat=True))


def exact(house):
    """The books sum to zero and equal, to the satoshi, what the node holds at our addresses, hot and cold."""
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses) == ((), ()) and "wallets:bitcoin" not in report.unreachable
    assert house.sums_to_zero()
    scripts = [bytes(script) for script in Address.objects.filter(network_id=1).values_list("script", flat=True)]
    return -house.total("chain_wallet", BTC) == nodes.chain("bitcoin").holdings(scripts).amount


def fund_cold(house, node, wallet, *amounts):
    """Somebody sends to the cold wallet from outside: the house's own capital, at addresses of their own."""
    for amount in amounts:
        address = cold_wallets.next_address(wallet=wallet, now=timezone.now())
        node.send(address.address, amount)
        mine(house, node)
    mine(house, node, 6)
