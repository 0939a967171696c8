"""What contracts do on a real anvil: pay inside, fail inside, destroy themselves, lie in logs, keep fees, return nothing.

And what our own transactions may be: with one gas price, replaced, cancelled, emptying an account to the last wei.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from custody.signers.software import SoftwareSigner
from wallets.chains import registry
from wallets.chains.evm import block, payout, transaction
from wallets.chains.evm.chain import EvmChain
from wallets.chains.evm.payout import Payment
from wallets.chains.protocol import BroadcastRefused, MalformedData, NodeRefused

pytestmark = pytest.mark.node
W1 = "018f0000-0000-7000-8000-000000000001"
HOT = "m/44'/60'/1'/0/0"
DEPOSIT = "m/44'/60'/0'/0/0"
ETHER = 10**18
GWEI = 10**9
_seeds = itertools.count(1)


@dataclass
class World:
    node: Any
    chain: EvmChain
    signer: SoftwareSigner

    @property
    def hot(self):
        return self.signer.evm_address(HOT)

    @property
    def mine_address(self):
        return self.signer.evm_address(DEPOSIT)

    @property
    def key(self):
        return bytes.fromhex(self.mine_address[2:])

    def credits(self):
        """What the next block pays our deposit address."""
        self.node.mine()
        return self.chain.block(self.chain.tip().height).credits({self.key})

    def call(self, contract, address, function, *arguments, value=0):
        return self.node.transact(contract, address, function, list(arguments), value=value)

    def unsigned(self, payment, *, fees=None, gas_limit=None, path=HOT, nonce=None, empties=False):
        sender = self.signer.evm_address(path)
        return self.chain.rules.payout(
            from_address=sender,
            from_path=path,
            nonce=self.chain.nonce(sender) if nonce is None else nonce,
            payment=payment,
            fees=fees or self.chain.fees(),
            gas_limit=gas_limit or self.chain.send_gas(from_address=sender, payment=payment),
            empties=empties,
        )

    def send(self, unsigned):
        """Signed, checked against what was asked, and broadcast; the txid."""
        read = payout.from_json(unsigned.to_json())
        assert read == unsigned
        raw = self.signer.sign_evm(read)
        view = self.chain.rules.verify_signed(raw, unsigned.to_json())
        assert self.chain.broadcast(raw) == view.txid
        return view.txid


@pytest.fixture
def world(anvil):
    chain = registry.connect("ethereum", url=anvil.url, chain_id=31337, trace=True)
    made = World(anvil, chain, SoftwareSigner(b"\x11" + next(_seeds).to_bytes(31, "big")))
    anvil.send(made.hot, 5 * ETHER)
    anvil.mine()
    return made


@pytest.fixture(scope="module")
def forwarder(anvil):
    return anvil.deploy("Forwarder")


# --- Payments inside a transaction


def test_what_a_contract_passes_on_is_a_credit_of_its_own(world, forwarder):
    txid = world.call("Forwarder", forwarder, "forward", world.mine_address, value=ETHER)
    (credit,) = world.credits()
    assert (credit.txid, credit.slot, credit.amount, credit.contract) == (txid, "call:0", ETHER, "")


def test_a_node_that_does_not_trace_shows_no_inner_payment(world, forwarder, anvil):
    blind = registry.connect("ethereum", url=anvil.url, chain_id=31337)
    world.call("Forwarder", forwarder, "forward", world.mine_address, value=ETHER)
    assert len(world.credits()) == 1
    assert blind.block(blind.tip().height).credits({world.key}) == []


def test_two_payments_of_one_transaction_are_two_credits(world, forwarder):
    world.call("Forwarder", forwarder, "split", world.mine_address, world.mine_address, value=ETHER)
    assert [(credit.slot, credit.amount) for credit in world.credits()] == [
        ("call:0", ETHER // 2),
        ("call:1", ETHER // 2),
    ]


def test_a_payment_deep_in_the_tree_is_named_by_its_path_and_a_very_deep_one_by_a_hash(world, forwarder):
    world.call("Forwarder", forwarder, "deep", world.mine_address, 3, value=ETHER)
    (credit,) = world.credits()
    assert (credit.slot, credit.amount) == ("call:0.0.0.0", ETHER)
    world.call("Forwarder", forwarder, "deep", world.mine_address, 25, value=ETHER)
    (credit,) = world.credits()
    assert credit.slot.startswith("call:#")
    assert len(credit.slot) <= 40


def test_a_payment_in_a_frame_that_fails_is_none_though_the_transaction_succeeds(world, forwarder):
    txid = world.call("Forwarder", forwarder, "payAndRevertInside", world.mine_address, value=ETHER)
    assert world.credits() == []
    assert world.chain.confirmation(txid).succeeded
    assert world.node.balance(world.mine_address) == 0


def test_a_failed_transaction_pays_nothing_inside(world, forwarder):
    txid = world.call("Forwarder", forwarder, "payThenFail", world.mine_address, value=ETHER)
    assert world.credits() == []
    assert world.chain.confirmation(txid).succeeded is False


def test_what_a_receipt_calls_failed_pays_nothing_whatever_value_and_logs_it_shows(world, anvil):
    token = anvil.deploy("NoReturnToken", 6)
    world.call("NoReturnToken", token, "mint", world.mine_address, 500)
    world.node.send(world.mine_address, ETHER)
    world.node.mine()
    body = world.chain._block_json(world.node.height(), whole=True)
    receipts = world.chain._receipts(body)
    assert len(block.parse(body, receipts).credits({world.key})) == 2
    failed = [{**receipt, "status": "0x0"} for receipt in receipts]
    assert block.parse(body, failed).credits({world.key}) == []
    assert len(block.parse(body, failed).spent()) == len(failed)  # their nonces are used all the same


def test_a_receipt_of_another_block_or_of_nobody_is_not_believed(world):
    world.node.send(world.mine_address, ETHER)
    world.node.mine()
    body = world.chain._block_json(world.node.height(), whole=True)
    receipts = world.chain._receipts(body)
    extra = {**receipts[0], "transactionHash": "0x" + "00" * 32}  # as a bridge's, which is no transaction of the block
    assert len(block.parse(body, [*receipts, extra]).credits({world.key})) == 1
    for wrong in ([], [{**receipts[0], "blockHash": "0x" + "11" * 32}], [receipts[0], receipts[0]], [extra]):
        with pytest.raises(MalformedData):
            block.parse(body, wrong)


def test_an_empty_inner_call_and_a_delegated_one_are_no_payments(world, forwarder, anvil):
    other = anvil.deploy("Forwarder")
    world.call("Forwarder", forwarder, "poke", world.mine_address)
    # The borrowed code runs with the value of the call around it in view; only the call itself moved it.
    world.call("Forwarder", forwarder, "borrow", other, world.mine_address, value=ETHER)
    assert world.credits() == []
    assert world.chain.block(world.chain.tip().height).credits({bytes.fromhex(other[2:])}) == []


def test_a_self_destruct_leaves_coins_that_are_no_credit_once_or_twice(world, anvil):
    for function in ("end", "endTwice"):
        testament = anvil.deploy("Testament")
        anvil.rpc("anvil_setBalance", testament, hex(ETHER))
        world.call("Testament", testament, function, world.mine_address)
        assert world.credits() == []
    assert world.node.balance(world.mine_address) == 2 * ETHER


def test_a_node_that_should_trace_and_cannot_leaves_the_block_unread(world, forwarder, monkeypatch):
    world.call("Forwarder", forwarder, "forward", world.mine_address, value=ETHER)
    world.node.mine()
    ask = world.chain._rpc.call

    def refuse(method, *params):
        if method.startswith("debug_"):
            raise NodeRefused("the method does not exist", node_code=-32601)
        return ask(method, *params)

    monkeypatch.setattr(world.chain._rpc, "call", refuse)
    with pytest.raises(NodeRefused):
        world.chain.block(world.chain.tip().height)


def test_a_node_that_traces_by_number_alone_is_asked_so(world, forwarder, monkeypatch):
    world.call("Forwarder", forwarder, "forward", world.mine_address, value=ETHER)
    world.node.mine()
    ask = world.chain._rpc.call

    def by_number(method, *params):
        if method == "debug_traceBlockByHash":
            raise NodeRefused("the method does not exist", node_code=-32601)
        return ask(method, *params)

    monkeypatch.setattr(world.chain._rpc, "call", by_number)
    assert len(world.chain.block(world.chain.tip().height).credits({world.key})) == 1


# --- Tokens with habits of their own


@pytest.mark.parametrize("digits", [0, 8, 36])
def test_a_token_of_any_number_of_digits_that_returns_nothing_is_read_and_sent(world, anvil, digits):
    token = anvil.deploy("NoReturnToken", digits)
    assert world.chain.token_decimals(token) == digits
    amount = 7 * 10**digits
    world.call("NoReturnToken", token, "mint", world.mine_address, amount)
    (credit,) = world.credits()
    assert (credit.amount, credit.contract) == (amount, token)
    world.call("NoReturnToken", token, "mint", world.hot, amount)
    world.node.mine()
    world.send(world.unsigned(Payment(world.mine_address, amount, W1, token)))
    (credit,) = world.credits()
    assert credit.amount == amount
    assert world.chain.holdings([world.key], contract=token).amount == 2 * amount


def test_a_token_moved_by_another_contract_is_credited_by_its_log(world, forwarder, anvil):
    token = anvil.deploy("NoReturnToken", 6)
    world.call("NoReturnToken", token, "mint", forwarder, 500)
    world.call("Forwarder", forwarder, "send", token, world.mine_address, 500)
    (credit,) = world.credits()
    assert (credit.amount, credit.contract, credit.slot) == (500, token, "log:0")


def test_what_a_balance_gained_can_be_asked_of_any_block(world, anvil):
    token = anvil.deploy("FeeToken", 6)
    outside = world.node.outside
    world.call("FeeToken", token, "mint", outside, 1_000)
    world.node.mine()
    before = world.chain.tip()
    world.call("FeeToken", token, "transfer", world.mine_address, 1_000)
    (credit,) = world.credits()
    assert credit.amount == 1_000  # so its log says
    after = world.chain.tip()
    assert world.chain.holdings([world.key], contract=token, at=before.hash).amount == 0
    assert world.chain.holdings([world.key], contract=token, at=after.hash).amount == 900


def test_a_fake_tether_is_its_own_contract_and_a_log_in_a_failed_transaction_is_none(world, anvil):
    fake = anvil.deploy("FakeTether")
    world.call("FakeTether", fake, "pretend", world.node.outside, world.mine_address, 10**9)
    world.call("FakeTether", fake, "pretend", world.node.outside, world.mine_address, 0)
    failed = world.call("FakeTether", fake, "pretendAndFail", world.node.outside, world.mine_address, 10**9)
    credits = world.credits()
    assert [(credit.amount, credit.contract) for credit in credits] == [(10**9, fake)]
    assert world.chain.confirmation(failed).succeeded is False


# --- Our own transactions


def test_a_transaction_with_one_gas_price_is_mined_and_costs_what_it_says(world, anvil):
    chain = registry.connect("ethereum", url=anvil.url, chain_id=31337, legacy_fees=True)
    fees = chain.fees()
    assert fees.legacy
    assert fees.max_fee_per_gas == fees.max_priority_fee_per_gas > 0
    unsigned = world.unsigned(Payment(world.mine_address, ETHER, W1), fees=fees)
    txid = world.send(unsigned)
    assert world.credits()[0].amount == ETHER
    assert chain.confirmation(txid).fee == 21_000 * fees.max_fee_per_gas == unsigned.fee_max
    sent = world.node.rpc("eth_getTransactionByHash", txid)
    assert (sent["type"], int(sent["gasPrice"], 16)) == ("0x0", fees.max_fee_per_gas)


def test_a_chain_without_a_base_fee_has_one_gas_price(world, monkeypatch):
    ask = world.chain._rpc.call

    def before_1559(method, *params):
        answer = ask(method, *params)
        if method == "eth_getBlockByNumber":
            answer.pop("baseFeePerGas")
        return answer

    monkeypatch.setattr(world.chain._rpc, "call", before_1559)
    assert world.chain.fees().legacy


@pytest.mark.parametrize("legacy", [False, True])
def test_a_bump_takes_the_place_of_the_first_and_nodes_agree(world, legacy):
    fees = payout.Fees(0, 40 * GWEI, 40 * GWEI, legacy=True) if legacy else payout.Fees(0, 40 * GWEI, GWEI)
    first = world.unsigned(Payment(world.mine_address, ETHER, W1), fees=fees)
    first_txid = world.send(first)
    second = payout.bumped(first, payout.Fees(0, GWEI, GWEI, legacy=legacy))
    for name in ("max_fee_per_gas", "max_priority_fee_per_gas"):
        old, new = getattr(first.transaction, name), getattr(second.transaction, name)
        assert new * 8 >= old * 9
    assert (second.spend_key, second.payment) == (first.spend_key, first.payment)
    txid = world.send(second)
    assert [(credit.txid, credit.amount) for credit in world.credits()] == [(txid, ETHER)]
    assert world.chain.confirmation(first_txid).state == "unknown"


def test_a_bump_pays_what_the_chain_asks_for_where_that_is_more(world):
    first = world.unsigned(Payment(world.mine_address, ETHER, W1), fees=payout.Fees(0, 2 * GWEI, GWEI))
    raised = payout.bumped(first, payout.Fees(0, 90 * GWEI, 3 * GWEI)).transaction
    assert (raised.max_fee_per_gas, raised.max_priority_fee_per_gas) == (90 * GWEI, 3 * GWEI)


def test_a_cancel_pays_nothing_to_ourselves_and_the_payment_never_happens(world):
    first = world.unsigned(Payment(world.mine_address, ETHER, W1))
    first_txid = world.send(first)
    cancel = payout.cancelled(first, world.chain.fees())
    assert (cancel.payment.amount, cancel.payment.address, cancel.payment.path) == (0, world.hot, HOT)
    txid = world.send(cancel)
    assert world.credits() == []
    assert world.chain.confirmation(txid).succeeded
    assert world.chain.confirmation(first_txid).state == "unknown"
    with pytest.raises(BroadcastRefused):
        world.chain.broadcast(world.signer.sign_evm(first))


def test_nothing_may_be_paid_but_by_a_cancel(world):
    body = payout.cancelled(world.unsigned(Payment(world.mine_address, ETHER, W1)), world.chain.fees()).to_json()
    payout.from_json(body)
    with pytest.raises(MalformedData):
        payout.from_json({**body, "pays": {**body["pays"], "path": DEPOSIT}})
    with pytest.raises(MalformedData):
        payout.from_json({**body, "to": world.mine_address, "pays": {**body["pays"], "address": world.mine_address}})


def test_an_account_is_emptied_to_the_last_wei_and_a_bump_takes_the_rise_from_what_we_get(world):
    world.node.send(world.mine_address, ETHER)
    world.node.mine()
    fees = world.chain.fees().flat()
    fee = 21_000 * fees.max_fee_per_gas
    first = world.unsigned(
        Payment(world.hot, ETHER - fee, path=HOT), path=DEPOSIT, fees=fees, gas_limit=21_000, empties=True
    )
    second = payout.bumped(first, world.chain.fees())
    assert second.payment.amount + second.fee_max == ETHER
    assert second.payment.amount < first.payment.amount
    world.send(first)
    world.send(second)
    world.node.mine()
    assert world.node.balance(world.mine_address) == 0


def test_a_transaction_without_a_chain_is_not_ours(world):
    unsigned = world.unsigned(Payment(world.mine_address, ETHER, W1), fees=payout.Fees(0, GWEI, GWEI, legacy=True))
    raw = world.signer.sign_evm(unsigned)
    assert transaction.decode(raw).transaction == unsigned.transaction
    body = transaction.rlp.decode(raw)
    body[6] = b"\x1b"  # as before EIP-155: good on every chain
    with pytest.raises(MalformedData):
        transaction.decode(transaction.rlp.encode(body))
