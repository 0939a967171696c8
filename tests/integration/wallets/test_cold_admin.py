"""Staff's pages of cold storage: every step a POST of one person's, and two people for everything that counts."""

from __future__ import annotations

import os

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.audit.models import Record
from exchange.compliance.models import SolvencyLook
from exchange.compliance.services import solvency
from tests import cold_wallets as descriptors_of
from tests.factors import log_in_staff
from tests.integration.wallets.cold_house import COIN, exact, fund_cold, mine, settled, signed_by
from tests.trezor.device import SoftwareTrezor
from wallets import cold_desk
from wallets.models import Address, ColdProposal, ColdWallet, HotShare, Payout
from wallets.services import cold, cold_wallets, payouts, returns

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def staff(db, settings):
    settings.AXES_ENABLED = False

    def make(name, *, may=True):
        user = get_user_model().objects.create(email=f"{name}@example.com", is_staff=True, is_active=True)
        rights = Permission.objects.filter(content_type__app_label__in=["wallets", "compliance"])
        user.user_permissions.set(rights if may else rights.filter(codename__startswith="view_"))
        browser = Client()
        log_in_staff(browser, user)
        browser.user = user
        return browser

    return make


@pytest.fixture
def device():
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one:
        yield one


def add(browser, model, **data):
    return browser.post(reverse(f"admin:wallets_{model}_add"), data, follow=True).content.decode()


def do(browser, model, row, deed, **data):
    return browser.post(reverse(f"admin:wallets_{model}_deed", args=[row]), {"deed": deed, **data}, follow=True)


def page(browser, model, row=None):
    name = f"admin:wallets_{model}_{'changelist' if row is None else 'change'}"
    answer = browser.get(reverse(name, args=[] if row is None else [row]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_share_a_wallet_and_a_proposal_through_the_pages(house, chains, bitcoind, staff, device):
    chains(bitcoin=bitcoind)
    house.scan("bitcoin")
    anna, bert, looker = staff("anna"), staff("bert"), staff("looker", may=False)
    wallet = a_wallet(anna, bert, looker, device)
    a_share(anna, bert)
    fund_cold(house, bitcoind, wallet, COIN)
    cold.balance(now=timezone.now())
    levels = page(looker, "hotlevel")
    assert "Below the floor since" in levels and "bring 0.2 BTC back" in levels and "<svg" in levels
    a_proposal(house, bitcoind, device, anna, bert, looker)
    a_proposal_called_back(anna, bert)
    who_did_what(anna.user.pk, bert.user.pk)
    solvency.check(now=timezone.now())
    history = looker.get(reverse("admin:compliance_solvencylook_changelist")).content.decode()
    newest = reverse("admin:compliance_solvencylook_change", args=[SolvencyLook.objects.get().pk])
    assert newest in history
    shown = looker.get(newest).content.decode()
    assert "0.79" in shown and "0.2" in shown and "Covered" in shown  # what lies cold, and what lies hot


def a_wallet(anna, bert, looker, device):
    text = descriptors_of.descriptor("wpkh", [descriptors_of.key(device.root, "wpkh")])
    slip = add(anna, "coldwallet", network="bitcoin", name="Drawer", descriptor=text.replace("wpkh", "wpkj", 1))
    assert "The checksum does not match" in slip and not ColdWallet.objects.exists()
    add(anna, "coldwallet", network="bitcoin", name="Drawer", descriptor=text)
    wallet = ColdWallet.objects.get()
    # Thrown away and proposed again: the same row, to be looked at anew.
    do(bert, "coldwallet", wallet.pk, "discard")
    add(anna, "coldwallet", network="bitcoin", name="Drawer", descriptor=text)
    assert ColdWallet.objects.get().retired_at is None
    assert "stands here already" in add(anna, "coldwallet", network="bitcoin", name="Drawer", descriptor=text)
    first = cold_wallets.first_address(wallet)
    assert first not in page(bert, "coldwallet", wallet.pk)  # it is read off the device, not off the page
    assert b"does not approve it" in do(anna, "coldwallet", wallet.pk, "approve", typed=first[-8:]).content
    assert b"not the last 8 characters" in do(bert, "coldwallet", wallet.pk, "approve", typed="qqqqqqqq").content
    assert do(looker, "coldwallet", wallet.pk, "approve", typed=first[-8:]).status_code == 403
    assert b"In use." in do(bert, "coldwallet", wallet.pk, "approve", typed=first[-8:].upper()).content
    assert first in page(anna, "coldwallet", wallet.pk)
    return wallet


def a_share(anna, bert):
    add(anna, "hotshare", link="BTC bitcoin", percent="2.5", floor="0.2", least="0.01")
    share = HotShare.objects.get()
    assert (share.share_ppm, share.floor) == (25_000, COIN // 5)
    assert "waits already" not in page(anna, "hotshare")
    assert "Another change for this asset waits" in add(
        bert, "hotshare", link="BTC bitcoin", percent="50", floor="0", least="1"
    )
    do(anna, "hotshare", share.pk, "approve")
    assert HotShare.objects.get().approved_at is None
    do(bert, "hotshare", share.pk, "approve")
    assert "2.5 %" in page(anna, "hotshare")


def a_proposal(house, bitcoind, device, anna, bert, looker):
    assert "does not hold that much" in add(anna, "coldproposal", link="BTC bitcoin", amount="1")
    add(anna, "coldproposal", link="BTC bitcoin", amount="0.2")
    proposal = ColdProposal.objects.get()
    assert b"does not approve it" in do(anna, "coldproposal", proposal.pk, "approve").content
    assert b"has to approve this proposal first" in do(anna, "coldproposal", proposal.pk, "download").content
    do(bert, "coldproposal", proposal.pk, "approve")
    answer = do(anna, "coldproposal", proposal.pk, "download")
    assert answer["Content-Disposition"].endswith('.psbt"') and answer.content.startswith(b"psbt\xff")
    wrong = do(anna, "coldproposal", proposal.pk, "upload", file=SimpleUploadedFile("a.psbt", b"nonsense"))
    assert b"neither a PSBT nor a signed transaction" in wrong.content
    signed = SimpleUploadedFile("a.psbt", signed_by(device, answer.content))
    assert b"Complete and verified" in do(bert, "coldproposal", proposal.pk, "upload", file=signed).content
    settled(proposal.pk, "broadcast")
    mine(house, bitcoind, 6)
    shown = page(looker, "coldproposal", proposal.pk)
    assert "Final" in shown and device.fingerprint.hex() in shown and "anna@example.com" in shown
    assert Payout.objects.get(pk=proposal.pk).state == "final" and exact(house)


def a_proposal_called_back(anna, bert):
    add(anna, "coldproposal", link="BTC bitcoin", amount="0.1")
    other = ColdProposal.objects.latest("created_at")
    do(bert, "coldproposal", other.pk, "cancel", reason="not needed")
    assert Payout.objects.get(pk=other.pk).state == "released"


def who_did_what(one, two):
    deeds = Record.objects.filter(action__startswith="wallets.").order_by("id")
    made = [(record.action, record.actor_id) for record in deeds if record.actor_id]
    assert made == [
        ("wallets.cold_wallet.propose", one), ("wallets.cold_wallet.discard", two),
        ("wallets.cold_wallet.propose", one), ("wallets.cold_wallet.approve", two),
        ("wallets.hot_share.propose", one), ("wallets.hot_share.approve", two),
        ("wallets.return.propose", one), ("wallets.return.approve", two), ("wallets.return.export", one),
        ("wallets.return.sign", two), ("wallets.return.propose", one), ("wallets.return.cancel", two),
    ]  # fmt: skip


def test_nobody_gets_in_by_a_link_or_without_the_right(house, staff):
    looker = staff("looker", may=False)
    for model in ("coldwallet", "hotshare", "coldproposal"):
        assert looker.get(reverse(f"admin:wallets_{model}_add")).status_code == 403
        assert looker.get(reverse(f"admin:wallets_{model}_deed", args=[1])).status_code == 405
    assert Client().get(reverse("admin:wallets_hotlevel_changelist")).status_code == 302


def test_a_way_back_that_no_node_takes_is_given_up_and_one_that_was_taken_is_not(house):
    """Signed weeks ago, at a fee that nodes laugh at by now: its coins must not lie reserved for ever."""
    now = timezone.now()
    wallet = ColdWallet.objects.create(
        network_id=1, name="Drawer", kind="single", descriptor="wpkh(...)", created_at=now, created_by=1
    )
    hot = Address.objects.filter(network_id=1, purpose="hot").first()
    coin = hot.coins.create(network_id=1, txid="aa" * 32, vout=0, amount=COIN, block_height=1, mature_height=1)
    payout = Payout.objects.create(
        network_id=1, asset_id=1, state="signed", kind="return", amount=COIN, address=hot, confirmations_required=1,
        created_at=now, txid="bb" * 32,
    )  # fmt: skip
    version = payout.versions.create(unsigned={}, raw=b"\x01", txid="bb" * 32, created_at=now, signed_at=now)
    payout.reservations.create(coin=coin, reserved_at=now)
    row = ColdProposal.objects.create(payout=payout, cold=wallet, created_by=1, created_at=now, signed_at=now)
    deed = {"payout_id": payout.id, "reason": "too cheap", "actor_id": 2, "now": now}

    with pytest.raises(returns.ProposalClosed):
        returns.cancel(**deed)  # no node was asked yet
    version.last_error, version.first_broadcast_at = "min relay fee not met", now
    version.save()
    with pytest.raises(returns.ProposalClosed):
        returns.cancel(**deed)  # one had it once
    version.first_broadcast_at = None
    version.save()
    assert cold_desk.is_refused(row) and cold_desk.state(row) == "signed, and no node takes it"
    returns.cancel(**deed)
    payout.refresh_from_db()
    version.refresh_from_db()
    assert (payout.state, bytes(version.raw), version.txid) == ("released", b"\x01", "bb" * 32)
    assert not payout.reservations.filter(released_at=None).exists()
    assert payouts.advance_all(now=now) == 0  # nobody sends it any more
    with pytest.raises(returns.ProposalClosed):
        returns.cancel(**deed)
