"""The EVM family against a real anvil: ETH and our own ERC-20."""

from dataclasses import dataclass
from typing import Any

import pytest

from custody.signers.software import SoftwareSigner
from wallets.chains import registry
from wallets.chains.evm.chain import EvmChain
from wallets.chains.evm.payout import Payment
from wallets.chains.protocol import (
    BlockNotFound,
    BroadcastRefused,
    MalformedData,
    NodeRefused,
    NodeUnavailable,
    WrongChain,
)

pytestmark = pytest.mark.node
W1 = "018f0000-0000-7000-8000-000000000001"
HOT = "m/44'/60'/1'/0/0"
ETHER = 10**18


@dataclass
class World:
    node: Any
    chain: EvmChain
    signer: SoftwareSigner
    token: str

    @property
    def hot(self):
        return self.signer.evm_address(HOT)

    def key(self, number):
        address = self.signer.evm_address(f"m/44'/60'/0'/0/{number}")
        return address, bytes.fromhex(address[2:])

    def mint(self, to, amount):
        return self.node.transact("TestToken", self.token, "mint", [to, amount])

    def signed(self, payment, *, nonce=None, gas_limit=None):
        gas_limit = gas_limit or self.chain.send_gas(from_address=self.hot, payment=payment)
        nonce = self.chain.nonce(self.hot) if nonce is None else nonce
        unsigned = self.chain.rules.payout(
            from_address=self.hot,
            from_path=HOT,
            nonce=nonce,
            payment=payment,
            fees=self.chain.fees(),
            gas_limit=gas_limit,
        )
        raw = self.signer.sign_evm(unsigned)
        self.chain.rules.verify_signed(raw, unsigned.to_json())
        return raw


@pytest.fixture(scope="module")
def token(anvil):
    return anvil.deploy("TestToken")


_signers = iter(range(1, 10**6))


@pytest.fixture
def world(anvil, token):
    chain = registry.connect("ethereum", url=anvil.url, chain_id=31337)
    signer = SoftwareSigner(b"\x07" + next(_signers).to_bytes(31, "big"))
    made = World(anvil, chain, signer, token)
    anvil.send(made.hot, 5 * ETHER)
    made.mint(made.hot, 1_000_000_000)
    anvil.mine()
    return made


def test_a_native_deposit_is_credited_from_its_block(world):
    address, key = world.key(1)
    txid = world.node.send(address, 2 * ETHER)
    pending = world.chain.mempool()
    (seen,) = pending.transactions({key})
    assert (seen.txid, [c.amount for c in seen.credits], seen.replaceable) == (txid, [2 * ETHER], True)
    assert pending.spender(seen.spends[0]) == txid
    world.node.mine()
    block = world.chain.block(world.chain.tip().height)
    (credit,) = block.credits({key})
    assert (credit.txid, credit.slot, credit.amount, credit.contract, credit.key) == (
        txid,
        "native",
        2 * ETHER,
        "",
        key,
    )
    assert key in block.destinations()
    assert [s.txid for s in block.spends(set(seen.spends))] == [txid]
    assert world.chain.mempool().transactions({key}) == []


def test_a_token_deposit_is_credited_by_its_log_and_its_contract(world):
    address, key = world.key(2)
    txid = world.node.transact("TestToken", world.token, "transfer", [address, 250_000], sender=None)
    world.node.mine()
    # The outside account holds no tokens: the transfer reverted, and there is no credit.
    assert world.chain.block(world.chain.tip().height).credits({key}) == []
    assert world.chain.confirmation(txid).succeeded is False
    txid = world.mint(address, 250_000)
    world.node.mine()
    block = world.chain.block(world.chain.tip().height)
    (credit,) = block.credits({key})
    assert (credit.txid, credit.slot, credit.amount, credit.contract) == (txid, "log:0", 250_000, world.token)


def test_a_token_that_only_looks_the_same_is_another_contract(world):
    address, key = world.key(3)
    fake = world.node.deploy("TestToken")
    world.node.transact("TestToken", fake, "mint", [address, 999])
    world.node.mine()
    (credit,) = world.chain.block(world.chain.tip().height).credits({key})
    assert credit.contract == fake != world.token


def test_an_empty_transfer_is_no_credit(world):
    address, key = world.key(4)
    world.mint(address, 0)
    world.node.send(address, 0)
    world.node.mine()
    assert world.chain.block(world.chain.tip().height).credits({key}) == []


@pytest.mark.parametrize("native", [True, False])
def test_a_payout_is_accepted_pays_exactly_and_its_fee_is_known(world, native):
    receiver, key = world.key(5)
    contract = "" if native else world.token
    amount = ETHER // 3 if native else 123_456
    before = world.chain.holdings([key], contract=contract).amount
    raw = world.signed(Payment(receiver, amount, W1, contract))
    txid = world.chain.broadcast(raw)
    assert world.chain.confirmation(txid).state == "mempool"
    assert world.chain.broadcast(raw) == txid
    world.node.mine()
    found = world.chain.confirmation(txid)
    assert (found.state, found.confirmations, found.succeeded, found.height) == (
        "mined",
        1,
        True,
        world.chain.tip().height,
    )
    assert world.chain.holdings([key], contract=contract).amount - before == amount
    receipt = world.node.receipt(txid)
    assert found.fee == int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    spent = 5 * ETHER - world.node.balance(world.hot)
    assert spent == found.fee + (amount if native else 0)
    assert world.chain.broadcast(raw) == txid


def test_a_nonce_is_used_once(world):
    receiver, _ = world.key(6)
    first = world.signed(Payment(receiver, 1000, W1), nonce=0)
    second = world.signed(Payment(receiver, 2000, W1), nonce=0)
    world.chain.broadcast(first)
    assert (world.chain.nonce(world.hot), world.chain.nonce(world.hot, pending=True)) == (0, 1)
    world.node.mine()
    assert world.chain.nonce(world.hot) == 1
    with pytest.raises(BroadcastRefused):
        world.chain.broadcast(second)


def test_a_payment_that_would_fail_is_not_estimated(world):
    receiver, _ = world.key(7)
    with pytest.raises(NodeRefused):
        world.chain.send_gas(from_address=world.hot, payment=Payment(receiver, 10**30, W1, world.token))


def test_a_payout_that_reverts_costs_its_fee_and_says_so(world):
    receiver, key = world.key(8)
    raw = world.signed(Payment(receiver, 10**30, W1, world.token), gas_limit=80_000)
    txid = world.chain.broadcast(raw)
    world.node.mine()
    found = world.chain.confirmation(txid)
    assert (found.state, found.succeeded) == ("mined", False)
    assert found.fee > 0
    assert world.chain.block(found.height).credits({key}) == []


def test_finality_comes_with_the_finalized_block(world):
    txid = world.chain.broadcast(world.signed(Payment(world.key(9)[0], 1, W1)))
    world.node.mine()
    assert world.chain.confirmation(txid).final is False
    height = world.chain.tip().height
    while world.chain.finalized() < height:
        world.node.mine(16)
    assert world.chain.confirmation(txid).final is True


def test_a_reorganisation_changes_the_blocks_and_drops_the_confirmation(world):
    address, key = world.key(10)
    txid = world.node.send(address, ETHER)
    world.node.mine()
    old = world.chain.tip()
    assert len(world.chain.block(old.height).credits({key})) == 1
    world.node.reorganise(1)
    new = world.chain.block_ref(old.height)
    assert new.hash != old.hash
    assert new.parent == old.parent
    assert world.chain.block(old.height).credits({key}) == []
    assert world.chain.confirmation(txid).state != "mined"


def test_the_node_tells_what_addresses_hold(world):
    keys = [world.key(number) for number in (11, 12)]
    for address, _ in keys:
        world.node.send(address, ETHER)
        world.mint(address, 77)
    world.node.mine()
    assert world.chain.holdings([key for _, key in keys]).amount == 2 * ETHER
    assert world.chain.holdings([key for _, key in keys] * 2, contract=world.token).amount == 154
    assert world.chain.token_decimals(world.token) == 6
    with pytest.raises(MalformedData):
        world.chain.token_decimals(world.hot)


def test_fees_leave_room_for_the_base_fee_to_double(world):
    fees = world.chain.fees()
    assert fees.max_fee_per_gas == 2 * fees.base_fee + fees.max_priority_fee_per_gas


def test_a_node_of_another_chain_is_not_believed(world):
    wrong = registry.connect("ethereum", url=world.node.url, chain_id=1)
    with pytest.raises(WrongChain):
        wrong.tip()
    with pytest.raises(WrongChain):
        wrong.broadcast(world.signed(Payment(world.hot, 1, W1)))


def test_a_height_past_the_tip_is_not_found(world):
    with pytest.raises(BlockNotFound):
        world.chain.block(world.chain.tip().height + 1)


def test_bytes_that_are_no_transaction_never_reach_the_node(world):
    with pytest.raises(MalformedData):
        world.chain.broadcast(b"\x02\xc0")


def test_a_node_that_does_not_answer_is_unavailable():
    for url in ("http://127.0.0.1:1", "nonsense", "http://key:secret@no-such-host.invalid"):
        with pytest.raises(NodeUnavailable) as down:
            registry.connect("ethereum", url=url, chain_id=31337, timeout_s=2).tip()
        assert "secret" not in str(down.value)
