"""Each kind of signing job does what it is for and nothing else; cold wallets and accounts are what the signer's files say."""

import pytest

from custody import accounts, cold_addresses, limits, selectors
from custody.accounts import Accounts
from custody.cold_addresses import ColdAddresses, Wallet
from custody.limits import Limit
from custody.signers.derivation import PathInvalid
from wallets.chains.evm import payout as evm_payout
from wallets.chains.evm.payout import Payment
from wallets.chains.utxo import descriptors
from wallets.chains.utxo import payout as utxo_payout

from .conftest import BITCOIN, ETHEREUM, FEES, HOT, NOW, OUTSIDE, RECEIVER, TOKEN

pytestmark = pytest.mark.django_db(transaction=True)

HOT_KEYS = ("m/84'/1'/1'/1/0", "m/84'/1'/1'/0/0")
DEAR = evm_payout.Fees(10**9, 4 * 10**9, 2 * 10**9)
COLD_XPUB = (
    "tpubDC5FSnBiZDMmhiuCmWAYsLwgLYrrT9rAqvTySfuCCrgsWz8wxMXUS9Tb9iVMvcRbvFcAHGkMD5Kx8koh4GquNGNTfohfk7pgjhaPCdXpoba"
)


def descriptor():
    body = f"wpkh([01020304/84'/1'/0']{COLD_XPUB}/<0;1>/*)"
    return f"{body}#{descriptors.checksum(body)}"


def said(signer, job_id):
    """ "signed", or the code of the refusal."""
    outcome = signer.answer(job_id)
    found = selectors.signature(job_id=job_id)
    return found.code if isinstance(found, selectors.Refusal) else outcome


def moving(signer, *outputs, coins=None, fee=1_000, paid=()):
    """Coins of ours to (path, address, amount), the rest burnt as the fee; `paid` to withdrawals."""
    coins = coins or [signer.coin(sum(amount for _, _, amount in outputs) + sum(a for _, a, _ in paid) + fee)]
    made = [utxo_payout.Output(address, amount, withdrawal_id=id) for address, amount, id in paid]
    made += [utxo_payout.Output(address, amount, path=path) for path, address, amount in outputs]
    return utxo_payout.UnsignedUtxo("bitcoin", tuple(coins), tuple(made)).to_json()


def own(signer, path, amount=50_000):
    return path, BITCOIN.address(signer.signer.script(path)), amount


def gas(signer, amount, path="m/44'/60'/0'/0/9", nonce=0, contract=""):
    return signer.evm(Payment(signer.signer.evm_address(path), amount, path=path, contract=contract), nonce=nonce)


def sent_from(signer, path, payment, *, nonce=0, fees=FEES):
    return ETHEREUM.payout(
        from_address=signer.signer.evm_address(path),
        from_path=path,
        nonce=nonce,
        payment=payment,
        fees=fees,
        gas_limit=60_000,
    )


def test_what_stays_ours_goes_to_the_keys_that_its_kind_is_for(signer):
    deposit, hot = "m/84'/1'/0'/0/4", HOT_KEYS[0]
    expected = {
        ("sweep", hot): "signed",
        ("consolidation", hot): "signed",
        ("child", hot): "signed",
        ("sweep", deposit): "kind_mismatch",
        ("consolidation", deposit): "kind_mismatch",
        ("child", deposit): "kind_mismatch",
        ("gas", deposit): "kind_mismatch",  # gas is of EVM chains alone
        ("cold", hot): "kind_mismatch",
        ("payout", hot): "payout_without_withdrawal",
        ("replacement", hot): "replaces_nothing",
        ("cancel", hot): "replaces_nothing",
    }
    found = {
        (kind, path): said(signer, signer.job(moving(signer, own(signer, path)), kind=kind)) for kind, path in expected
    }
    assert found == expected


def test_only_a_payout_pays_somebody_else(signer):
    for kind in ("sweep", "consolidation", "child", "cold", "gas", "cancel"):
        unsigned = signer.utxo([(OUTSIDE, 50_000, signer.withdrawal())])
        assert (kind, said(signer, signer.job(unsigned, kind=kind))) == (kind, "kind_mismatch")


ASTRAY = [
    "m/84'/1'/0'/1/0",  # deposits have no change
    "m/84'/1'/0'/0/2147483648",
    "m/84'/1'/1'/0/1000",  # further out than anybody looks
    "m/84'/1'/1'/2/0",
    "m/84'/1'/3'/0/0",  # no account that was rotated to
    "m/84'/0'/1'/0/0",
    "m/49'/1'/1'/0/0",
    "m/84'/1'/1'/0",
    "m/1000'",
]


def test_coins_do_not_go_to_keys_of_ours_that_nobody_watches(signer):
    for path in ASTRAY:
        try:
            address = BITCOIN.address(signer.signer.script(path))
        except PathInvalid:
            address = OUTSIDE
        swept = signer.job(moving(signer, (path, address, 50_000)), kind="sweep")
        paid = [(OUTSIDE, 10_000, signer.withdrawal(amount=10_000))]
        on_the_side = signer.job(moving(signer, (path, address, 50_000), paid=paid))
        assert [path, said(signer, swept), said(signer, on_the_side)] == [path, "not_our_key", "not_our_key"]


def test_a_payout_of_several_withdrawals_is_signed_and_each_is_held_against_its_own_limit(signer):
    rows = [(OUTSIDE, 400_000, signer.withdrawal(amount=400_000)) for _ in range(4)]
    job = signer.job(signer.utxo(rows, coins=[signer.coin(1_700_000)]))
    assert said(signer, job) == "signed"  # 1.6 million together, and none above the million that one may be
    big = signer.withdrawal(amount=1_000_001)
    rows = [(OUTSIDE, 1_000, signer.withdrawal(amount=1_000)), (OUTSIDE, 1_000_001, big)]
    refused = signer.job(signer.utxo(rows, coins=[signer.coin(1_100_000)]))
    assert said(signer, refused) == "limit_each"
    assert big in selectors.signature(job_id=refused).reason
    rows = [(OUTSIDE, 300_000, signer.withdrawal(amount=300_000)) for _ in range(2)]
    assert said(signer, signer.job(signer.utxo(rows, coins=[signer.coin(700_000)]))) == "limit_hour"


def test_one_wrong_withdrawal_of_a_batch_refuses_it_by_name(signer):
    good, wrong = signer.withdrawal(), signer.withdrawal(amount=49_999)
    job = signer.job(signer.utxo([(OUTSIDE, 50_000, good), (OUTSIDE, 50_000, wrong)], coins=[signer.coin(200_000)]))
    assert said(signer, job) == "withdrawal_mismatch"
    assert wrong in selectors.signature(job_id=job).reason
    assert good not in selectors.signature(job_id=job).reason


# --- gas --------------------------------------------------------------------------------------------------------------


def test_gas_is_no_more_than_a_fee_and_no_token(signer):
    cap = 10**16
    assert said(signer, signer.job(gas(signer, cap), kind="gas")) == "signed"
    assert said(signer, signer.job(gas(signer, cap + 1, nonce=1), kind="gas")) == "gas_above_cap"
    assert said(signer, signer.job(gas(signer, 5, nonce=1, contract=TOKEN), kind="gas")) == "kind_mismatch"
    assert said(signer, signer.job(gas(signer, 5, nonce=1), kind="sweep")) == "kind_mismatch"


def test_a_sweep_leaves_a_deposit_address_for_the_hot_one_beside_the_limits(signer):
    hot = signer.signer.evm_address(HOT)
    everything = sent_from(signer, "m/44'/60'/0'/0/7", Payment(hot, 10**24, path=HOT, contract=TOKEN))
    assert said(signer, signer.job(everything.to_json(), kind="sweep")) == "signed"
    astray = sent_from(signer, "m/44'/60'/0'/0/7", Payment(RECEIVER, 5, path=HOT, contract=TOKEN), nonce=1)
    assert said(signer, signer.job(astray.to_json(), kind="sweep")) == "not_our_key"


# --- later versions ---------------------------------------------------------------------------------------------------


def test_a_replacement_pays_the_same_withdrawals_from_one_of_the_same_coins(signer):
    one, two = signer.withdrawal(), signer.withdrawal()
    a, b = signer.coin(300_000), signer.coin(300_000)
    both = [(OUTSIDE, 50_000, one), (OUTSIDE, 50_000, two)]
    assert said(signer, signer.job(signer.utxo(both, coins=[a]))) == "signed"
    cases = {
        "replaces_nothing": signer.utxo(both[:1], coins=[a], fee_rate=2_000),
        "already_signed": signer.utxo(both, coins=[b], fee_rate=3_000),
        "signed": signer.utxo(both, coins=[a], fee_rate=4_000),
    }
    found = {code: said(signer, signer.job(unsigned, kind="replacement")) for code, unsigned in cases.items()}
    assert found == {code: code for code in cases}


def test_a_sweep_is_replaced_by_a_sweep_and_counts_once(signer):
    signer.limits(ethereum=Limit(3, "ETH", 18, 10**18, 4 * 10**14, 10**18, 10**16))
    hot = Payment(signer.signer.evm_address(HOT), 10**6, path=HOT, contract=TOKEN)
    first, dearer = (sent_from(signer, "m/44'/60'/0'/0/7", hot, fees=fees).to_json() for fees in (FEES, DEAR))
    assert said(signer, signer.job(first, kind="sweep")) == "signed"
    assert said(signer, signer.job(dearer, kind="replacement")) == "signed"
    # 60,000 gas at 4 Gwei are 2.4e14: as two payments they would be over the hour's 4e14.
    other = sent_from(signer, "m/44'/60'/0'/0/8", hot).to_json()
    assert said(signer, signer.job(other, kind="replacement")) == "replaces_nothing"
    assert said(signer, signer.job(other, kind="sweep")) == "limit_hour"


def test_a_cancel_takes_the_same_coins_back_and_the_withdrawal_is_not_paid_again(signer):
    withdrawal = signer.withdrawal()
    a, b = signer.coin(100_000), signer.coin(100_000)
    assert said(signer, signer.job(signer.utxo([(OUTSIDE, 50_000, withdrawal)], coins=[a]))) == "signed"
    back = own(signer, HOT_KEYS[0], 90_000)
    assert said(signer, signer.job(moving(signer, back, coins=[b], fee=10_000), kind="cancel")) == "replaces_nothing"
    more = moving(signer, own(signer, HOT_KEYS[0], 190_000), coins=[a, b], fee=10_000)
    assert said(signer, signer.job(more, kind="cancel")) == "replaces_nothing"
    assert said(signer, signer.job(moving(signer, back, coins=[a], fee=10_000), kind="cancel")) == "signed"
    again = signer.job(signer.utxo([(OUTSIDE, 50_000, withdrawal)], coins=[signer.coin()]))
    assert said(signer, again) == "already_signed"
    assert withdrawal in selectors.signature(job_id=again).reason


def test_an_evm_cancel_pays_nothing_to_its_sender_under_the_same_nonce(signer):
    withdrawal = signer.withdrawal(asset_id=3, network_id=3, address=RECEIVER, amount=10**17)
    unsigned = sent_from(signer, HOT, Payment(RECEIVER, 10**17, withdrawal), nonce=4)
    assert said(signer, signer.job(unsigned.to_json())) == "signed"
    cancel = evm_payout.cancelled(unsigned, DEAR)
    assert said(signer, signer.job(cancel.to_json() | {"nonce": 5}, kind="cancel")) == "replaces_nothing"
    assert said(signer, signer.job(cancel.to_json(), kind="cancel")) == "signed"
    anew = sent_from(signer, HOT, Payment(RECEIVER, 10**17, withdrawal), nonce=5)
    assert said(signer, signer.job(anew.to_json())) == "already_signed"


def test_a_cancel_of_a_sweep_leaves_everything_at_the_deposit_address(signer):
    hot = Payment(signer.signer.evm_address(HOT), 10**6, path=HOT, contract=TOKEN)
    sweep = sent_from(signer, "m/44'/60'/0'/0/7", hot)
    assert said(signer, signer.job(sweep.to_json(), kind="sweep")) == "signed"
    assert said(signer, signer.job(evm_payout.cancelled(sweep, DEAR).to_json(), kind="cancel")) == "signed"


# --- cold -------------------------------------------------------------------------------------------------------------


def make_cold(signer, **wallets):
    cold = ColdAddresses()
    for network, text in wallets.items():
        rules = {"bitcoin": BITCOIN, "ethereum": ETHEREUM}[network]
        cold = cold.with_wallet(network, rules, Wallet(text, "vault", "2026-11-20"))
    cold_addresses.write(signer.folder / "cold.json", cold)


def to_cold(signer, path, address, amount=5_000_000):
    change = own(signer, HOT_KEYS[0], 10_000)
    return signer.job(moving(signer, (path, address, amount), change), kind="cold")


def test_coins_go_cold_beside_the_limits_but_only_where_the_signers_own_file_says(signer):
    wallet = descriptors.parse(descriptor(), BITCOIN.parameters)
    at = {path: wallet.address(*map(int, path.split("/")[1:])).text for path in ("cold/0/0", "cold/0/7", "cold/1/3")}
    assert said(signer, to_cold(signer, "cold/0/7", at["cold/0/7"])) == "cold_unknown"
    make_cold(signer, bitcoin=descriptor())
    for path, address in at.items():
        assert said(signer, to_cold(signer, path, address)) == "signed", path
    forged = {
        "cold/0/7": OUTSIDE,
        "cold/0/8": at["cold/0/7"],
        "cold/0/100000": wallet.address(0, 100_000).text,
        "cold/2/0": at["cold/0/0"],
        "cold/0/07": at["cold/0/7"],
        "cold/": at["cold/0/0"],
        "cold/0": at["cold/0/0"],
    }
    for path, address in forged.items():
        assert said(signer, to_cold(signer, path, address)) == "cold_unknown", path
    # Under another flag it is still no withdrawal, and a payout does not go cold on the side.
    assert (
        said(signer, signer.job(moving(signer, ("cold/0/0", at["cold/0/0"], 5_000)), kind="sweep")) == "kind_mismatch"
    )
    paid = [(OUTSIDE, 10_000, signer.withdrawal(amount=10_000))]
    mixed = moving(signer, ("cold/0/0", at["cold/0/0"], 5_000), paid=paid)
    assert said(signer, signer.job(mixed)) == "kind_mismatch"


def test_a_lone_cold_address_and_an_account_have_one_path_alone(signer):
    cold = ETHEREUM.address(b"\x0c" * 20)
    make_cold(signer, bitcoin=OUTSIDE, ethereum=cold)
    assert said(signer, to_cold(signer, "cold/0/0", OUTSIDE)) == "signed"
    assert said(signer, to_cold(signer, "cold/0/1", OUTSIDE)) == "cold_unknown"
    for path, address, code in (
        ("cold/0/0", cold, "signed"),
        ("cold/0/1", cold, "cold_unknown"),
        ("cold/0/0", RECEIVER, "cold_unknown"),
    ):
        unsigned = signer.evm(Payment(address, 10**19, path=path), nonce=len(path + address))
        assert said(signer, signer.job(unsigned, kind="cold")) == code
    token = signer.evm(Payment(cold, 10**12, path="cold/0/0", contract=TOKEN), nonce=1)
    assert said(signer, signer.job(token, kind="cold")) == "signed"


def test_an_unreadable_file_of_the_signers_stops_signing_and_refuses_nothing(signer):
    for name in ("cold.json", "accounts.json"):
        place = signer.folder / name
        place.write_bytes(b"[1]")
        place.chmod(0o600)
        with pytest.raises((cold_addresses.ColdUnreadable, accounts.AccountsUnreadable)):
            signer.answer(signer.pay())
        place.unlink()
    assert selectors.jobs_waiting()
    for job in selectors.jobs_waiting():
        assert said(signer, job) == "signed"


# --- rotation, decimals, age ------------------------------------------------------------------------------------------


def test_after_a_rotation_old_and_new_hot_keys_are_signed_for(signer):
    new = "m/84'/1'/3'/1/0"
    assert said(signer, signer.job(moving(signer, own(signer, new)), kind="consolidation")) == "not_our_key"
    accounts.write(signer.folder / "accounts.json", Accounts().with_next("bitcoin"))
    old_path = HOT_KEYS[0]
    old_coin = utxo_payout.Coin("ab" * 32, 0, 80_000, signer.signer.script(old_path), old_path)
    moved = moving(signer, own(signer, new, 79_000), coins=[old_coin])
    assert said(signer, signer.job(moved, kind="consolidation")) == "signed"
    new_coin = utxo_payout.Coin("cd" * 32, 0, 80_000, signer.signer.script(new), new)
    assert said(signer, signer.job(signer.utxo([(OUTSIDE, 50_000, signer.withdrawal())], coins=[new_coin]))) == "signed"


def test_a_token_with_other_decimals_on_its_chain_is_paid_to_the_last_digit(signer):
    key = limits.asset_key("ethereum", TOKEN)
    signer.limits(**{key: Limit(4, "USDT", 18, 10**18, 2 * 10**18, 3 * 10**18, 10**16, 6)})
    for chain_units, base_units, code in (
        (10**15, 1_000, "signed"),
        (10**15 + 1, 1_000, "withdrawal_mismatch"),
        (1_000, 1_000, "withdrawal_mismatch"),
    ):
        withdrawal = signer.withdrawal(asset_id=4, network_id=3, address=RECEIVER, amount=base_units)
        unsigned = signer.evm(Payment(RECEIVER, chain_units, withdrawal, TOKEN))
        assert said(signer, signer.job(unsigned)) == code


def test_what_was_signed_long_ago_is_not_signed_again(signer, monkeypatch):
    monkeypatch.setattr("custody.velocity.COMPACTED_AT_ONCE_MIN", 1)
    coin = signer.coin()
    withdrawal = signer.withdrawal()
    assert said(signer, signer.job(signer.utxo([(OUTSIDE, 50_000, withdrawal)], coins=[coin]))) == "signed"
    with signer.room() as room:
        assert room.velocity.compact(now=int(NOW.timestamp()) + 15 * 86_400) == 1
    again = signer.job(signer.utxo([(OUTSIDE, 50_000, withdrawal)], coins=[signer.coin()]))
    assert said(signer, again) == "payment_too_old"
    lied = utxo_payout.Coin(coin.txid, coin.vout, 90_000, coin.script, coin.path)
    assert said(
        signer, signer.job(moving(signer, own(signer, HOT_KEYS[0]), coins=[lied], fee=40_000), kind="sweep")
    ) == ("amount_contradicts")
