"""Coins and sanctions lists: nothing leaves for a listed address, nothing from one is credited unlooked-at, nobody is warned."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from exchange.audit.models import Record
from exchange.core.errors import DomainError
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.services import freezes
from kyc.models import ScreeningCase
from kyc.screening import current, keys
from kyc.screening import selectors as screening
from kyc.screening.services import cases, lists, screen_person
from wallets import metrics, selectors
from wallets.chains.protocol import NodeUnavailable
from wallets.chains.utxo import prevouts
from wallets.chains.utxo.chain import UtxoChain
from wallets.models import Deposit, Withdrawal
from wallets.services import batching, deciding, holding, withdrawals
from wallets.services import screening as guard

ALICE, BOB = 101, 102
STAFF, OTHER_STAFF = 901, 902
BTC, ETH = 1, 3
COIN, ETHER = 10**8, 10**18
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
ELSEWHERE = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
SAME_KEY = "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"  # the same public key's address on the main network, in its older form
KEYS = itertools.count()

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_index():
    current.forget()
    yield
    current.forget()


@pytest.fixture
def rich(house, fund, prices):
    fund(ALICE, BTC, COIN)


def listed(*addresses, also=0):
    """Takes a list on which these addresses stand."""
    remarks = "; ".join(f"Digital Currency Address - XBT {address}" for address in addresses)
    none = "-0- ," * 7
    lines = [f'7,"EXAMPLEY, Rowland","individual","CYBER2",{none}"{remarks}"']
    lines += [f'{10 + n},"FILLING NUMBER {n}","entity","CYBER2",{none}-0- ' for n in range(also)]
    files = {"sdn.csv": ("\r\n".join(lines) + "\r\n\x1a\r\n").encode()}
    return lists.load(files=files, source="test", now=timezone.now())


def ask(user_id=ALICE, address=OUTSIDE):
    return withdrawals.request(
        user_id=user_id, asset="BTC", network="bitcoin", address=address, amount="0.1",
        idempotency_key=f"screening-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip


def clear(case):
    for actor in (STAFF, OTHER_STAFF):
        cases.decide(case_id=case.id, actor_id=actor, verdict="clear", reason="Not his.", now=timezone.now())


@pytest.mark.parametrize("spelled", [OUTSIDE, OUTSIDE.upper(), SAME_KEY])
def test_nothing_leaves_for_a_listed_address_in_whatever_form_it_stands_there(rich, spelled):
    listed(spelled)
    with pytest.raises(DomainError) as refused:
        ask()
    assert (refused.value.code, refused.value.message) == ("policy_blocked", deciding.REFUSED)
    assert not Withdrawal.objects.exists()
    assert all(balance.held == 0 for balance in ledger.balances(owner_id=ALICE))
    case = ScreeningCase.objects.get()
    assert (case.user_id, case.kind, case.strong, case.subject) == (ALICE, "withdrawal", True, keys.of(OUTSIDE))
    with pytest.raises(withdrawals.PolicyBlocked):
        ask()
    assert ScreeningCase.objects.count() == 1
    with pytest.raises(withdrawals.PolicyBlocked) as elsewhere:
        ask(address=ELSEWHERE)  # while the case is open, nothing leaves for anywhere, in the same words
    assert elsewhere.value.message == refused.value.message


def test_the_refusal_reads_like_every_other_one(rich):
    words = deciding.REFUSED.lower()
    assert not any(word in words for word in ("sanction", "list", "ofac", "screen", "case", "terror", "law"))


def test_a_cleared_customer_sends_again_but_never_there(rich):
    listed(OUTSIDE)
    with pytest.raises(withdrawals.PolicyBlocked):
        ask()
    clear(ScreeningCase.objects.get())
    assert ask(address=ELSEWHERE).state == "approved"
    with pytest.raises(withdrawals.PolicyBlocked):
        ask()


def test_who_is_under_review_by_name_sends_nothing(rich):
    listed(OUTSIDE)
    screen_person(user_id=ALICE, names=["Rowland Exampley"], birth_date=None, country="", now=timezone.now())
    with pytest.raises(withdrawals.PolicyBlocked):
        ask(address=ELSEWHERE)
    clear(ScreeningCase.objects.get())
    assert ask(address=ELSEWHERE).state == "approved"


def queue(rows):
    return [row.id for row in batching._queue(rows, now=timezone.now() + timedelta(minutes=1))]


def test_what_was_approved_before_waits_when_its_address_is_listed_or_its_customer_blocked(rich, fund):
    from wallets import routes

    fund(BOB, BTC, COIN)
    there, elsewhere, bobs = ask(), ask(address=ELSEWHERE), ask(BOB, ELSEWHERE)
    bitcoin = routes.of("bitcoin")
    assert set(queue(bitcoin)) == {there.id, elsewhere.id, bobs.id}
    listed(OUTSIDE)
    queue(bitcoin)
    assert queue(bitcoin) == [bobs.id]  # the address makes a case, and the case holds back all that is Alice's
    assert Withdrawal.objects.get(id=there.id).waiting == guard.WAITING
    rows = [Withdrawal.objects.get(id=each.id) for each in (there, bobs)]
    assert guard.frozen_or_held_back(rows, now=timezone.now())
    assert not guard.frozen_or_held_back(rows[1:], now=timezone.now())
    clear(ScreeningCase.objects.get())
    assert set(queue(bitcoin)) == {elsewhere.id, bobs.id}


@pytest.mark.parametrize("kept", ["frozen", "review"])
def test_however_many_of_a_customers_are_held_back_they_hold_up_nobody_else(rich, fund, monkeypatch, kept):
    from wallets import routes

    fund(BOB, BTC, COIN)
    hers, bobs = [ask() for _ in range(3)], ask(BOB)
    monkeypatch.setattr(batching, "QUEUE_MAX", 1)
    bitcoin = routes.of("bitcoin")
    assert queue(bitcoin) == [hers[0].id]
    if kept == "frozen":
        freezes.freeze(owner_id=ALICE, reason="For a test", actor=STAFF, now=timezone.now())
    else:
        listed(ELSEWHERE)
        screen_person(user_id=ALICE, names=["Rowland Exampley"], birth_date=None, country="", now=timezone.now())
    assert queue(bitcoin) == [bobs.id]
    assert {Withdrawal.objects.get(id=each.id).waiting for each in hers} == {kept}
    if kept == "frozen":
        freezes.unfreeze(owner_id=ALICE, reason="For a test", actor=STAFF, now=timezone.now())
    else:
        clear(ScreeningCase.objects.get())
    assert queue(bitcoin) == [hers[0].id]  # her place in the line was kept


def test_what_would_leave_for_a_listed_address_goes_to_the_end_of_the_line(rich, fund, monkeypatch):
    """Also where the customer is cleared himself, and nothing but the address holds it back."""
    from wallets import routes

    fund(BOB, BTC, COIN)
    hers, bobs = [ask() for _ in range(2)], ask(BOB, ELSEWHERE)
    monkeypatch.setattr(batching, "QUEUE_MAX", 1)
    bitcoin = routes.of("bitcoin")
    listed(OUTSIDE)
    assert queue(bitcoin) == []
    clear(ScreeningCase.objects.get())
    assert [queue(bitcoin) for _ in range(2)][-1] == [bobs.id]
    assert all(Withdrawal.objects.get(id=each.id).payout_id is None for each in hers)


# --- Coins in, from a real node -------------------------------------------------------------------------------------------------


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("ethereum")


def balanced():
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses, report.unreachable) == ((), (), ())


@pytest.mark.node
@pytest.mark.django_db(transaction=True)
def test_ether_from_a_listed_account_is_held_until_staff_have_looked(house, ethereum):
    house.scan("ethereum")
    address = house.address(ALICE, "ETH", "ethereum")
    ethereum.send(address, ETHER)
    mine(house, ethereum, 14)
    assert house.balance(ALICE, ETH) == ETHER
    (payer,) = Deposit.objects.get(owner_id=ALICE).payers
    assert payer.startswith("evm:")
    listed(f"0x{payer[4:].upper()}")
    ethereum.send(address, 2 * ETHER)
    mine(house, ethereum, 14)
    deposit = Deposit.objects.get(owner_id=ALICE, amount=2 * ETHER)
    assert (deposit.state, deposit.held_for) == ("held", "review") and house.balance(ALICE, ETH) == ETHER
    balanced()
    case = ScreeningCase.objects.get()
    assert (case.kind, case.subject) == ("deposit", f"deposit:{deposit.id}")
    assert screening.deposit_held(deposit.id) and not screening.blocked(ALICE)  # who sends to her does not block her
    assert holding.release_due(now=timezone.now()) == 0  # no sweep lets go what staff have not cleared
    with pytest.raises(holding.DepositNotHeld):
        holding.release(deposit_id=deposit.id, actor_id=STAFF, note="past the case", now=timezone.now())
    clear(case)
    assert holding.release_due(now=timezone.now()) == 1
    assert house.balance(ALICE, ETH) == 3 * ETHER
    assert Record.objects.filter(action="deposit.clear", subject=f"deposit:{deposit.id}").exists()
    balanced()


@pytest.mark.node
@pytest.mark.django_db(transaction=True)
def test_coins_from_a_listed_address_are_held_by_what_their_inputs_show(house, chains, bitcoind):
    chains(bitcoin=bitcoind)
    house.scan("bitcoin")
    txid = bitcoind.send(house.address(ALICE, "BTC", "bitcoin"), COIN)
    spent = bitcoind.rpc("getrawtransaction", txid, True)["vin"]
    before = [bitcoind.rpc("getrawtransaction", each["txid"], True)["vout"][each["vout"]] for each in spent]
    listed(before[0]["scriptPubKey"]["address"])
    bitcoind.mine(10)
    house.scan("bitcoin")
    (view,) = selectors.deposits(ALICE)
    assert (view.state, view.held_for) == ("held", "review") and house.balance(ALICE, BTC) == 0
    payers = Deposit.objects.get(txid=txid).payers
    assert set(payers) == {keys.of(each["scriptPubKey"]["address"]) for each in before}


@pytest.fixture
def taproot(bitcoind):
    """Pays out of Taproot outputs alone; gives the txid and the addresses that paid."""

    def pay(address, amount):
        own = bitcoind.rpc("getnewaddress", "", "bech32m")
        funded = bitcoind.send(own, 3 * COIN)
        bitcoind.mine(1)
        outputs = bitcoind.rpc("getrawtransaction", funded, True)["vout"]
        vout = next(each["n"] for each in outputs if each["scriptPubKey"].get("address") == own)
        options = {"inputs": [{"txid": funded, "vout": vout}], "add_inputs": False}
        sent = bitcoind.rpc("send", {address: amount / COIN}, None, "unset", 5, options)
        assert sent["complete"]
        return sent["txid"], own

    return pay


@pytest.mark.node
@pytest.mark.django_db(transaction=True)
def test_who_paid_by_taproot_is_asked_for_before_anything_is_credited(house, chains, bitcoind, taproot, monkeypatch):
    chains(bitcoin=bitcoind)
    house.scan("bitcoin")
    txid, own = taproot(house.address(ALICE, "BTC", "bitcoin"), COIN)
    listed(own)
    with monkeypatch.context() as silent:
        silent.setattr(UtxoChain, "spent_scripts", unanswered)
        bitcoind.mine(10)
        house.scan("bitcoin")
        assert Deposit.objects.get(txid=txid).state == "confirming"  # deep enough, and not asked for
        txid2 = bitcoind.send(house.address(BOB, "BTC", "bitcoin"), COIN)
        bitcoind.mine(10)
        house.scan("bitcoin")
        assert Deposit.objects.get(txid=txid2).state == "credited"  # nobody waits for it
    house.scan("bitcoin")
    deposit = Deposit.objects.get(txid=txid)
    assert (deposit.payers, deposit.unshown) == ([keys.of(own)], [])
    assert (deposit.state, deposit.held_for) == ("held", "review") and house.balance(ALICE, BTC) == 0


@pytest.mark.node
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("node", ["tells it", "keeps an index", "has forgotten"])
def test_a_node_tells_or_looks_up_what_was_spent_and_what_it_forgot_is_counted(
    house, chains, bitcoind, taproot, monkeypatch, node
):
    chains(bitcoin=bitcoind)
    house.scan("bitcoin")
    txid, own = taproot(house.address(ALICE, "BTC", "bitcoin"), COIN)
    bitcoind.mine(10)
    if node != "tells it":
        monkeypatch.setattr(prevouts, "told", lambda found: {})
    if node == "has forgotten":
        monkeypatch.setattr(prevouts, "looked_up", lambda keeper, outpoints: {})
    before = metrics.PAYERS_UNKNOWN.labels("bitcoin")._value.get()
    house.scan("bitcoin")
    unknown = metrics.PAYERS_UNKNOWN.labels("bitcoin")._value.get() - before
    deposit = Deposit.objects.get(txid=txid)
    assert (deposit.payers, unknown) == (([], 1) if node == "has forgotten" else ([keys.of(own)], 0))
    assert deposit.state == "credited" and house.balance(ALICE, BTC) == COIN


def unanswered(self, txid, outpoints, *, block_hash):
    raise NodeUnavailable("the node does not answer")
