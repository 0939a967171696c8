"""The UTXO family against real nodes: bitcoind and litecoind run the same tests."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from custody.signers.software import SoftwareSigner
from wallets.chains import registry
from wallets.chains.protocol import (
    BlockNotFound,
    BroadcastRefused,
    FeeUnknown,
    MalformedData,
    NodeUnavailable,
    WrongChain,
)
from wallets.chains.utxo import bump, script
from wallets.chains.utxo.chain import UtxoChain
from wallets.chains.utxo.payout import Change, Coin, Payment

pytestmark = pytest.mark.node
W1 = "018f0000-0000-7000-8000-000000000001"


@dataclass
class World:
    """A node, our view of it, and a wallet of our own."""

    node: Any
    chain: UtxoChain
    signer: SoftwareSigner
    next_index: int = 0

    def fresh(self, branch="m/84'/1'/0'/0"):
        self.next_index += 1
        path = f"{branch}/{self.next_index}"
        script = self.signer.script(path)
        return path, script, self.chain.rules.address(script)

    def funded(self, amount):
        """A confirmed coin of ours."""
        path, script, address = self.fresh()
        txid = self.node.send(address, amount)
        self.node.mine()
        credit = next(c for c in self.chain.block(self.node.height()).credits({script}) if c.txid == txid)
        return Coin(credit.txid, int(credit.slot), credit.amount, script, path)

    def payout(self, coins, payments, fee_rate=2_000):
        path, _, address = self.fresh("m/84'/1'/1'/1")
        unsigned = self.chain.rules.payout(
            coins=coins, payments=payments, change=Change(address, path), fee_rate=fee_rate
        )
        raw = self.signer.sign_utxo(unsigned, self.chain.parameters)
        self.chain.rules.verify_signed(raw, unsigned.to_json())
        return unsigned, raw


_signers = iter(range(1, 10**6))


@pytest.fixture(params=["bitcoin", "litecoin"])
def world(request):
    node = request.getfixturevalue({"bitcoin": "bitcoind", "litecoin": "litecoind"}[request.param])
    chain = registry.connect(request.param, url=node.url, network="regtest")
    return World(node, chain, SoftwareSigner(next(_signers).to_bytes(32, "big")))


def test_a_block_from_its_bytes_says_what_the_node_says(world):
    _, script, address = world.fresh()
    world.node.send(address, 123_456)
    world.node.mine()
    height = world.chain.tip().height
    ours = world.chain.block(height)
    theirs = world.node.rpc("getblock", ours.ref.hash, 2)
    assert (ours.ref.hash, ours.ref.parent, ours.ref.time) == (
        theirs["hash"],
        theirs["previousblockhash"],
        theirs["time"],
    )
    assert ours.ref == world.chain.tip() == world.chain.block_ref(height)
    assert [ours.txid(number) for number in range(len(ours))] == [tx["txid"] for tx in theirs["tx"]]
    wanted = {
        (tx["txid"], str(out["n"]), bytes.fromhex(out["scriptPubKey"]["hex"]), int(out["value"] * 10**8))
        for tx in theirs["tx"]
        for out in tx["vout"]
        if out["value"]
    }
    found = ours.credits(ours.destinations())
    assert {(c.txid, c.slot, c.key, c.amount) for c in found} == wanted
    assert ours.spent() == {f"{vin['txid']}:{vin['vout']}" for tx in theirs["tx"] for vin in tx["vin"] if "txid" in vin}
    assert [(c.amount, c.maturity) for c in ours.credits({script})] == [(123_456, 0)]
    coinbase = theirs["tx"][0]["txid"]
    assert {c.maturity for c in found if c.txid == coinbase} == {100}


def test_addresses_are_those_that_the_node_understands(world):
    for kind in ("legacy", "p2sh-segwit", "bech32"):
        address = world.node.wallet("getnewaddress", "", kind)
        answer = world.node.rpc("validateaddress", address)
        parsed = world.chain.rules.parse(address)
        assert (parsed.text, parsed.key.hex()) == (address, answer["scriptPubKey"])
    _, script, address = world.fresh()
    assert world.node.rpc("validateaddress", address)["scriptPubKey"] == script.hex()


def test_every_standard_script_is_known_by_its_kind_and_address(world):
    """As the node itself classifies them; taproot where the network has it."""
    hashes = bytes(range(20)), bytes(range(32))
    made = {
        "pubkeyhash": b"\x76\xa9\x14" + hashes[0] + b"\x88\xac",
        "scripthash": b"\xa9\x14" + hashes[0] + b"\x87",
        "witness_v0_keyhash": b"\x00\x14" + hashes[0],
        "witness_v0_scripthash": b"\x00\x20" + hashes[1],
        "witness_v1_taproot": b"\x51\x20" + world.signer.account("m/86'/1'/0'").key[1:],
    }
    kinds = ["p2pkh", "p2sh", "p2wpkh", "p2wsh", "p2tr"]
    assert [script.kind(each) for each in made.values()] == kinds
    for name, each in made.items():
        theirs = world.node.rpc("decodescript", each.hex())
        theirs = theirs if "type" in theirs else theirs["segwit"]
        # Litecoin's node is of before taproot: to it the script is a witness program of a version to come.
        assert theirs["type"] in (name, "witness_unknown")
        ours = world.chain.rules.address(each)
        assert ours in (theirs.get("address"), *theirs.get("addresses", ()))
        assert world.chain.rules.parse(ours).key == each
    assert script.kind(b"\x6a\x04data") == ""


def test_a_waiting_transaction_is_seen_with_what_it_waits_for(world):
    coin = world.funded(200_000)
    parent_unsigned, parent = world.payout([coin], [Payment(world.node.new_address(), 50_000, W1)], fee_rate=2_000)
    parent_txid = world.chain.broadcast(parent)
    change = parent_unsigned.outputs[1]
    made = bump.child(
        parent_unsigned,
        txid=parent_txid,
        parameters=world.chain.parameters,
        fee_rate=20_000,
        package_fee=parent_unsigned.fee,
        package_size=parent_unsigned.vsize(world.chain.parameters),
        change=Change(change.address, change.path),
    )
    child_txid = world.chain.broadcast(world.signer.sign_utxo(made, world.chain.parameters))
    first, second = world.chain.mempool_entry(parent_txid), world.chain.mempool_entry(child_txid)
    assert (first.fee, second.fee) == (parent_unsigned.fee, made.fee)
    assert second.ancestor_fees == first.descendant_fees == first.fee + second.fee
    assert second.ancestor_fees * 1_000 >= 20_000 * second.ancestor_vsize
    assert world.chain.mempool_entry("ee" * 32) is None
    waiting = world.chain.mempool()
    assert waiting.conflicts([coin.outpoint]) == {parent_txid}
    assert waiting.conflicts([coin.outpoint], but=parent_txid) == set()
    assert waiting.conflicts([f"{parent_txid}:1", f"{'ee' * 32}:0"]) == {child_txid}
    assert waiting.replaceable(child_txid) == world.chain.parameters.replacement
    world.node.mine()
    assert world.chain.mempool_entry(child_txid) is None


def test_a_deposit_is_seen_waiting_then_in_a_block(world):
    _, script, address = world.fresh()
    txid = world.node.send(address, 70_000)
    mempool = world.chain.mempool()
    (pending,) = mempool.transactions({script})
    assert (pending.txid, [c.amount for c in pending.credits]) == (txid, [70_000])
    assert pending.replaceable in ((True, False) if world.chain.parameters.replacement else (False,))
    assert script in mempool.destinations()
    assert all(mempool.spender(spent) == txid for spent in pending.spends)
    assert world.chain.confirmation(txid).state == "mempool"
    world.node.mine()
    assert world.chain.mempool().transactions({script}) == []
    world.node.mine(2)
    found = world.chain.confirmation(txid)
    assert (found.state, found.confirmations, found.height) == ("mined", 3, world.node.height() - 2)
    assert found.block_hash == world.chain.block_ref(found.height).hash


def test_a_replaced_deposit_is_explained_by_its_conflict(bitcoind):
    world = World(
        bitcoind, registry.connect("bitcoin", url=bitcoind.url, network="regtest"), SoftwareSigner(b"\x43" * 32)
    )
    _, script, address = world.fresh()
    txid = world.node.wallet("send", [{address: "0.0005"}], None, "unset", None, {"replaceable": True, "fee_rate": 2})[
        "txid"
    ]
    (before,) = world.chain.mempool().transactions({script})
    assert before.txid == txid
    assert before.replaceable
    bumped = world.node.wallet("bumpfee", txid)["txid"]
    after = world.chain.mempool()
    assert [found.txid for found in after.transactions({script})] == [bumped]
    assert {after.spender(spent) for spent in before.spends} & {bumped}
    assert world.chain.confirmation(txid).state == "unknown"
    world.node.mine()


def test_a_payout_is_accepted_pays_to_the_satoshi_and_confirms(world):
    coins = [world.funded(300_000), world.funded(200_000)]
    receiver = world.node.new_address()
    unsigned, raw = world.payout(coins, [Payment(receiver, 450_000, W1)])
    txid = world.chain.broadcast(raw)
    entry = world.node.rpc("getmempoolentry", txid)
    assert unsigned.vsize(world.chain.parameters) - entry["vsize"] in (0, 1)
    assert int(entry["fees"]["base"] * 10**8) == unsigned.fee
    assert world.chain.unspent([c.outpoint for c in coins]) == dict.fromkeys((c.outpoint for c in coins), None)
    world.node.mine()
    assert world.node.received(receiver, confirmations=1) == 450_000
    block = world.chain.block(world.node.height())
    outpoints = {c.outpoint for c in coins}
    assert {(s.txid, s.spent) for s in block.spends(outpoints)} == {(txid, outpoint) for outpoint in outpoints}
    assert outpoints <= block.spent()


def test_the_same_bytes_again_are_a_success_at_every_stage(world):
    unsigned, raw = world.payout([world.funded(100_000)], [Payment(world.node.new_address(), 50_000, W1)])
    txid = world.chain.broadcast(raw)
    assert world.chain.broadcast(raw) == txid
    world.node.mine()
    assert world.chain.broadcast(raw) == txid
    # Mined, and every output spent again: the node no longer finds it by its coins.
    change = unsigned.outputs[1]
    spent = Coin(txid, 1, change.amount, world.signer.script(change.path), change.path)
    _, next_raw = world.payout([spent], [])
    world.chain.broadcast(next_raw)
    world.node.mine()
    assert world.chain.broadcast(raw) == txid


def test_a_second_spend_of_a_coin_is_refused(world):
    coin = world.funded(100_000)
    _, first = world.payout([coin], [Payment(world.node.new_address(), 50_000, W1)], fee_rate=20_000)
    _, second = world.payout([coin], [Payment(world.node.new_address(), 51_000, W1)], fee_rate=10_000)
    world.chain.broadcast(first)
    with pytest.raises(BroadcastRefused):
        world.chain.broadcast(second)
    world.node.mine()
    with pytest.raises(BroadcastRefused):
        world.chain.broadcast(second)


def test_a_higher_fee_takes_the_place_of_the_first_where_the_network_lets_it(world):
    coin = world.funded(1_000_000)
    receiver = world.node.new_address()
    _, first = world.payout([coin], [Payment(receiver, 50_000, W1)], fee_rate=2_000)
    _, second = world.payout([coin], [Payment(receiver, 50_000, W1)], fee_rate=20_000)
    old = world.chain.broadcast(first)
    if not world.chain.parameters.replacement:
        with pytest.raises(BroadcastRefused):
            world.chain.broadcast(second)
        world.node.mine()
        assert world.chain.confirmation(old).state == "mined"
        return
    new = world.chain.broadcast(second)
    assert world.chain.confirmation(old).state == "unknown"
    world.node.mine()
    assert world.chain.confirmation(new).state == "mined"
    assert world.node.received(receiver) == 50_000


def test_dust_is_what_the_node_calls_dust(world):
    coin = world.funded(100_000)
    receiver = world.node.new_address()
    dust = world.chain.rules.dust(receiver)
    unsigned, raw = world.payout([coin], [Payment(receiver, dust, W1)])
    assert world.node.rpc("testmempoolaccept", [raw.hex()])[0]["allowed"]
    less = replace(unsigned, outputs=(replace(unsigned.outputs[0], amount=dust - 1), *unsigned.outputs[1:]))
    refused = world.node.rpc("testmempoolaccept", [world.signer.sign_utxo(less, world.chain.parameters).hex()])[0]
    assert not refused["allowed"]
    assert refused["reject-reason"].startswith("dust")


def test_a_reorganisation_changes_the_block_and_forgets_the_confirmation(world):
    _, script, address = world.fresh()
    txid = world.node.send(address, 90_000)
    world.node.mine()
    old = world.chain.tip()
    assert world.chain.confirmation(txid).state == "mined"
    world.node.invalidate(old.hash)
    try:
        assert world.chain.tip().hash == old.parent
        assert world.chain.confirmation(txid).state == "mempool"
        with pytest.raises(BlockNotFound):
            world.chain.block(old.height)
        world.node.mine()
        new = world.chain.block(old.height)
        assert new.ref.hash != old.hash
        assert new.ref.parent == old.parent
        assert [c.txid for c in new.credits({script})] == [txid]
    finally:
        world.node.mine()


def test_the_node_tells_what_our_keys_hold_and_which_coins_are_unspent(world):
    coins = [world.funded(40_000), world.funded(60_000)]
    held = world.chain.holdings(coin.script for coin in coins)
    assert (held.amount, held.height) == (100_000, world.node.height())
    unknown = f"{'ee' * 32}:0"
    assert world.chain.unspent([coins[0].outpoint, unknown]) == {coins[0].outpoint: 40_000, unknown: None}
    assert world.chain.unspent([]) == {}
    with pytest.raises(MalformedData):
        world.chain.holdings([], contract="0xabc")


def test_a_fee_rate_is_at_least_what_the_node_relays_and_never_beyond_belief(world):
    floor = int(world.node.rpc("getmempoolinfo")["mempoolminfee"] * 10**8)
    assert world.chain.fee_rate() >= max(1_000, floor)
    chain = registry.connect(world.chain.name, url=world.node.url, network="regtest")
    chain.parameters = replace(world.chain.parameters, fee_rate_max=floor - 1)
    with pytest.raises(FeeUnknown):
        chain.fee_rate()
    if "feerate" in world.node.rpc("estimatesmartfee", 6):
        return  # a chain with a fee market: the table's fallback is not asked for
    chain.parameters = replace(world.chain.parameters, fallback_fee_rate=None)
    with pytest.raises(FeeUnknown):
        chain.fee_rate()
    chain.parameters = replace(world.chain.parameters, fallback_fee_rate=1)
    assert chain.fee_rate() == max(floor, int(world.node.rpc("getmempoolinfo")["minrelaytxfee"] * 10**8))


def test_a_node_of_another_network_is_not_believed(world):
    wrong = registry.connect(world.chain.name, url=world.node.url, network="mainnet")
    with pytest.raises(WrongChain):
        wrong.tip()
    other = {"bitcoin": "litecoin", "litecoin": "bitcoin"}[world.chain.name]
    with pytest.raises(WrongChain):
        registry.connect(other, url=world.node.url, network="regtest").tip()


def test_a_height_past_the_tip_is_not_found(world):
    with pytest.raises(BlockNotFound):
        world.chain.block(world.chain.tip().height + 1)
    assert world.chain.finalized() is None


def test_bytes_that_are_no_transaction_never_reach_the_node(world):
    with pytest.raises(MalformedData):
        world.chain.broadcast(b"\x02\0\0\0junk")


@pytest.mark.parametrize(
    "url", ["http://u:p@127.0.0.1:1", "http://u:p@host.invalid:80", "http://127.0.0.1:9", "nonsense"]
)
def test_a_node_that_does_not_answer_is_unavailable(url):
    with pytest.raises(NodeUnavailable) as down:
        registry.connect("bitcoin", url=url, network="regtest", timeout_s=2).tip()
    assert "u:p" not in str(down.value)


def test_a_wrong_password_is_said_to_be_a_wrong_answer(bitcoind):
    url = f"http://bourse:wrong-{'x' * 8}@127.0.0.1:{bitcoind.port}"
    with pytest.raises(NodeUnavailable):
        registry.connect("bitcoin", url=url, network="regtest").tip()


def test_a_node_that_was_restarted_is_asked_again_on_a_new_connection(tmp_path):
    from config.regtest import Bitcoind

    with Bitcoind(folder=tmp_path / "node") as node:
        chain = registry.connect("bitcoin", url=node.url, network="regtest", timeout_s=5)
        before = chain.tip()
        node.kill()
        with pytest.raises(NodeUnavailable):
            chain.tip()
        node.start()
        assert chain.tip() == before
        # A connection that the node closed behind our back costs nothing but another one.
        node.stop()
        node.start()
        assert chain.tip() == before


def test_litecoins_extension_block_is_passed_over_and_a_peg_out_is_a_credit(litecoind):
    chain = registry.connect("litecoin", url=litecoind.url, network="regtest")
    signer = SoftwareSigner(b"\x42" * 32)
    script = signer.script("m/84'/1'/0'/0/0")
    litecoind.peg_out(chain.rules.address(script), 250_000)
    chain.mempool()
    litecoind.mine()
    block = chain.block(litecoind.height())
    theirs = litecoind.rpc("getblock", block.ref.hash, 1)
    assert [block.txid(number) for number in range(len(block))] == theirs["tx"]
    (credit,) = block.credits({script})
    assert (credit.amount, credit.txid, credit.maturity) == (250_000, theirs["tx"][-1], 6)
