"""The demo's pure parts: what a maker wants in the book, which process may know what, what `make pay` understands."""

import random
import subprocess
import sys
from decimal import Decimal

import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends import filebased

from config.regtest.__main__ import base_units, network_of
from config.regtest.process import NodeError
from deploy.demo import mailbox, marked, processes, record
from deploy.setup import places
from exchange.site.demo import quoting

PRECISION = quoting.Precision(price=2, quantity=4)
MIDDLE = Decimal("67000.12")


def ladder(seed=1, middle=MIDDLE):
    return quoting.ladder(middle=middle, quote_usd=Decimal(1), precision=PRECISION, chance=random.Random(seed))


def test_a_ladder_never_crosses_itself():
    quotes = ladder()
    bids = [quote.price for quote in quotes if quote.side == "buy"]
    asks = [quote.price for quote in quotes if quote.side == "sell"]
    assert len(bids) == len(asks) == quoting.LEVELS
    assert max(bids) < MIDDLE < min(asks)
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)


def test_a_ladder_keeps_to_tick_and_lot():
    for quote in ladder():
        assert quote.price == quote.price.quantize(Decimal("0.01"))
        assert quote.quantity == quote.quantity.quantize(Decimal("0.0001"))
        assert quote.quantity > 0


def test_two_ladders_of_one_price_never_trade_with_each_other():
    first, second = ladder(seed=1), ladder(seed=2)
    best_bid = max(quote.price for quote in first + second if quote.side == "buy")
    best_ask = min(quote.price for quote in first + second if quote.side == "sell")
    assert best_bid < best_ask


def test_orders_near_their_place_stay():
    wanted = ladder(seed=1)
    standing = [quoting.Standing(number, quote.side, quote.price) for number, quote in enumerate(wanted)]
    assert quoting.plan(standing=standing, wanted=wanted) == ([], [])


def test_orders_far_from_the_price_go_and_are_replaced():
    wanted = ladder(middle=MIDDLE * 2)
    standing = [quoting.Standing(number, quote.side, quote.price) for number, quote in enumerate(ladder())]
    surplus, missing = quoting.plan(standing=standing, wanted=wanted)
    assert surplus == [order.order_id for order in standing]
    assert missing == wanted


def test_two_orders_at_one_price_are_one_too_many():
    [quote] = [quote for quote in ladder() if quote.side == "buy"][:1]
    standing = [quoting.Standing(1, "buy", quote.price), quoting.Standing(2, "buy", quote.price)]
    assert quoting.plan(standing=standing, wanted=[quote]) == ([2], [])


@pytest.mark.parametrize(("share_ppm", "side"), [(1_000_000, "sell"), (0, "buy")])
def test_who_holds_one_asset_only_trades_it_away(share_ppm, side):
    quote = quoting.taking(
        middle=MIDDLE, quote_usd=Decimal(1), precision=PRECISION, base_share_ppm=share_ppm, chance=random.Random(3)
    )
    assert quote.side == side
    assert (quote.price > MIDDLE) == (side == "buy")


def test_the_share_of_the_base_asset_goes_by_worth():
    assert quoting.base_share_ppm(base=Decimal(1), quote=Decimal(300), middle=Decimal(100)) == 250_000
    assert quoting.base_share_ppm(base=Decimal(0), quote=Decimal(0), middle=Decimal(100)) == 500_000


EVERYTHING = dict.fromkeys(
    (
        *("PATH", "REDIS_URL", "BOURSE_STATE", "DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL"),
        *("SIGNER_DATABASE_URL", "KEYSTORE_PATH", "KEYSTORE_PASSPHRASE_FILE", "VELOCITY_LOG_PATH", "BITCOIN_RPC_URL"),
    ),
    "x",
)


@pytest.mark.parametrize("name", ["web", "worker", "beat", "engine", "traders", "miner"])
def test_nobody_but_the_signer_knows_of_the_keystore(name):
    known = processes.environment_of(name, EVERYTHING)
    assert not {"KEYSTORE_PATH", "KEYSTORE_PASSPHRASE_FILE", "VELOCITY_LOG_PATH", "SIGNER_DATABASE_URL"} & known.keys()
    assert {"PATH", "REDIS_URL", "DATABASE_URL"} <= known.keys()


def test_the_signer_knows_of_nothing_else():
    known = processes.environment_of("signer", EVERYTHING)
    assert not {"DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL", "BITCOIN_RPC_URL"} & known.keys()
    assert {"KEYSTORE_PATH", "SIGNER_DATABASE_URL", "REDIS_URL"} <= known.keys()


def test_nobody_runs_as_the_owner_of_the_tables():
    for name in processes.commands(places.ROOT / "Procfile", places.ROOT / "Procfile.demo"):
        assert "DATABASE_OWNER_URL" not in processes.environment_of(name, EVERYTHING)


@pytest.mark.parametrize(
    ("address", "network"),
    [("bcrt1qabc", "bitcoin"), ("RLTC1QABC", "litecoin"), ("0x5FbDB2315678afecb367f032d93F642f64180aa3", "ethereum")],
)
def test_an_address_tells_its_chain(address, network):
    assert network_of(address) == network


def test_a_public_chains_address_is_refused():
    with pytest.raises(NodeError, match="bcrt1"):
        network_of("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")


@pytest.mark.parametrize("text", ["0", "-1", "0.000000001", "1e-9", "NaN", "Infinity", "one"])
def test_what_is_no_amount_of_bitcoin(text):
    with pytest.raises(NodeError):
        base_units(text, 8)


def test_an_amount_in_base_units():
    assert base_units("0.1", 8) == 10_000_000
    assert base_units("1.000000000000000001", 18) == 10**18 + 1


def test_the_record_keeps_log_ins_to_its_owner(tmp_path):
    first = record.load(tmp_path)
    first.paid.append("house BTC")
    first.save()
    assert first.path.stat().st_mode & 0o077 == 0
    assert record.load(tmp_path) == first
    assert record.load(tmp_path / "elsewhere").customer_password != first.customer_password


def test_a_command_line_is_read_to_its_end():
    words = "x" * 300 + " the-last-word"
    program = [sys.executable, "-c", "print(flush=True); input()", words]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it runs: before that, its command line may still be empty
        assert marked.command_line(child.pid).endswith("the-last-word")
        child.communicate(b"\n")


def test_a_process_that_has_ended_has_no_command_line():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert marked.command_line(child.pid) == ""


def test_the_newest_mails_are_printed_as_a_person_reads_them(tmp_path):
    assert "no mail" in mailbox.newest(tmp_path)
    backend = filebased.EmailBackend(file_path=str(tmp_path))
    for number in range(5):
        mail = EmailMultiAlternatives(
            f"No. {number}", f"Follow http://x/{number}/{'y' * 90}/ — now", to=["a@example.org"]
        )
        mail.attach_alternative("<p>the same in HTML</p>", "text/html")
        backend.send_messages([mail])
    printed = mailbox.newest(tmp_path)
    assert printed.index("No. 2") < printed.index("No. 3") < printed.index("No. 4") and "No. 1" not in printed
    assert f"http://x/4/{'y' * 90}/ — now" in printed and "HTML" not in printed
