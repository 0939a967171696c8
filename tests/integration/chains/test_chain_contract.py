"""What `wallets.chains.protocol` promises, held against every family on its real node: one suite, whoever serves.

A new family or source joins by a line in `parties.PARTIES`, and is good when this is green.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from tests.integration.chains.between import Answer, Between, between
from tests.integration.chains.parties import PARTIES, Party
from wallets.chains.protocol import (
    AddressInvalid,
    BlockNotFound,
    BlockRef,
    BroadcastRefused,
    ChainError,
    MalformedData,
    NodeUnavailable,
    WrongChain,
)

pytestmark = pytest.mark.node
DEADLINE_S = 30


@pytest.fixture(params=sorted(PARTIES))
def party(request) -> Party:
    fixture, make = PARTIES[request.param]
    return make(request.getfixturevalue(fixture))


@pytest.fixture
def liar(party):
    with between(party.row["url"]) as server:
        yield server


def test_the_node_is_checked_and_its_tip_is_a_block_like_any_other(party):
    party.chain.check()
    party.node.mine()
    tip = party.chain.tip()
    assert isinstance(tip, BlockRef)
    assert tip == party.chain.block_ref(tip.height) == party.chain.block(tip.height).ref
    assert tip.height == party.node.height()
    assert party.chain.block_ref(tip.height - 1).hash == tip.parent
    assert party.chain.name == party.name


def test_a_final_height_is_none_or_at_most_the_tip(party):
    final = party.chain.finalized()
    assert final is None or 0 <= final <= party.chain.tip().height


def test_a_payment_waits_then_is_in_its_block_with_one_identity(party):
    address, key = party.fresh()
    assert party.chain.rules.parse(address).key == key
    assert party.chain.rules.address(key) == address
    txid = party.node.send(address, party.unit)
    waiting = party.chain.mempool()
    (pending,) = waiting.transactions({key})
    assert (pending.txid, [credit.amount for credit in pending.credits]) == (txid, [party.unit])
    assert key in waiting.destinations()
    assert pending.spends
    assert {waiting.spender(spent) for spent in pending.spends} == {txid}
    assert party.chain.confirmation(txid).state == "mempool"
    party.node.mine()
    block = party.chain.block(party.chain.tip().height)
    (credit,) = block.credits({key})
    assert (credit.txid, credit.slot) == (txid, pending.credits[0].slot)
    assert (credit.amount, credit.key, credit.contract, credit.maturity) == (party.unit, key, "", 0)
    assert type(credit.amount) is int
    assert key in block.destinations()
    assert set(pending.spends) <= block.spent()
    assert {spend.txid for spend in block.spends(set(pending.spends))} == {txid}
    assert party.chain.mempool().transactions({key}) == []


def test_a_block_says_nothing_of_keys_that_are_not_asked_for(party):
    party.node.send(party.fresh()[0], party.unit)
    party.node.mine()
    block = party.chain.block(party.chain.tip().height)
    assert block.credits({party.fresh()[1]}) == []
    assert block.credits(set()) == []
    assert block.spends(set()) == []


def test_a_mined_transaction_counts_its_blocks(party):
    txid = party.node.send(party.fresh()[0], party.unit)
    party.node.mine(3)
    found = party.chain.confirmation(txid)
    assert (found.state, found.confirmations, found.succeeded) == ("mined", 3, True)
    assert party.chain.block_ref(found.height).hash == found.block_hash
    assert party.chain.confirmation(txid, block_hash=found.block_hash) == found


def test_the_same_bytes_again_are_a_success_before_and_after_their_block(party):
    raw, _ = party.own_transaction()
    txid = party.chain.broadcast(raw)
    assert party.chain.broadcast(raw) == txid
    assert party.chain.confirmation(txid).state == "mempool"
    party.node.mine()
    assert party.chain.broadcast(raw) == txid
    assert party.chain.confirmation(txid).state == "mined"


def test_what_can_never_be_mined_is_refused(party):
    raw, rival = party.own_transaction()
    party.chain.broadcast(raw)
    party.node.mine()
    with pytest.raises(BroadcastRefused) as refused:
        party.chain.broadcast(rival)
    assert refused.value.code == "broadcast_refused"


def test_bytes_that_are_no_transaction_never_reach_the_node(party, liar):
    chain = party.connect(liar.url)
    chain.check()
    liar.seen.clear()
    for junk in (b"", b"\x00", b"\x02\xc0", b"\xff" * 200):
        with pytest.raises(MalformedData):
            chain.broadcast(junk)
    assert not [asked for asked in liar.seen if b"sendraw" in asked.body or asked.path.endswith("/tx")]


def test_what_keys_hold_is_told_with_a_height(party):
    (first, first_key), (second, second_key) = party.fresh(), party.fresh()
    party.node.send(first, party.unit)
    party.node.send(second, 2 * party.unit)
    party.node.mine()
    held = party.chain.holdings([first_key, second_key, first_key])
    assert (held.amount, held.height) == (3 * party.unit, party.node.height())
    assert party.chain.holdings([party.fresh()[1]]).amount == 0
    assert party.chain.holdings([]).amount == 0


@pytest.mark.parametrize("depth", [1, 3])
def test_a_reorganisation_replaces_blocks_and_forgets_what_they_confirmed(party, depth):
    party.node.mine(depth)
    old = [party.chain.block_ref(party.node.height() - back) for back in range(depth)]
    party.reorganise(depth)
    new = party.chain.tip()
    assert new.height == old[0].height + 1
    for ref in old:
        assert party.chain.block_ref(ref.height).hash != ref.hash
    assert party.chain.block_ref(old[-1].height).parent == old[-1].parent


def test_a_transaction_whose_block_is_gone_is_not_mined_in_it(party):
    txid = party.node.send(party.fresh()[0], party.unit)
    party.node.mine()
    before = party.chain.confirmation(txid)
    assert before.state == "mined"
    party.reorganise(1)
    after = party.chain.confirmation(txid, block_hash=before.block_hash)
    assert (after.state, after.block_hash) != ("mined", before.block_hash)


def test_what_does_not_exist_is_not_found_and_not_invented(party):
    with pytest.raises(BlockNotFound):
        party.chain.block(party.chain.tip().height + 1)
    with pytest.raises(BlockNotFound):
        party.chain.block_ref(party.chain.tip().height + 1)
    assert party.chain.confirmation(party.unknown_txid).state == "unknown"
    assert party.chain.mempool().spender("nobody:0") is None
    with pytest.raises(AddressInvalid):
        party.chain.rules.parse("an address")


def test_a_node_of_another_chain_is_not_believed(party):
    wrong = party.on_another_chain()
    raw, _ = party.own_transaction()
    for ask in (wrong.check, wrong.tip, lambda: wrong.block(0), wrong.mempool, lambda: wrong.broadcast(raw)):
        with pytest.raises(WrongChain):
            ask()
    assert party.chain.confirmation(_txid(party, raw)).state == "unknown"


def test_a_node_that_becomes_another_one_is_noticed_at_the_next_tip(party, liar):
    chain = party.connect(liar.url)
    chain.tip()

    def elsewhere(asked, forward):
        answer = forward()
        swapped = answer.body.replace(b'"0x7a69"', b'"0x1"')  # the chain id, and the first block's hash
        return Answer(swapped.replace(_first_block(party), b"00" * 32), answer.status, answer.headers)

    liar.behave = elsewhere
    with pytest.raises(WrongChain):
        chain.check()


def test_a_broadcast_whose_answer_is_lost_is_unknown_and_the_same_bytes_are_good_again(party, liar):
    raw, _ = party.own_transaction()
    chain = party.connect(liar.url)
    chain.check()

    def lose(asked, forward):
        answer = forward()
        sends = b"sendraw" in asked.body.lower() or asked.path.endswith("/tx")
        return Answer(drop=True) if sends else answer

    liar.behave = lose
    with pytest.raises(NodeUnavailable):
        chain.broadcast(raw)
    sends = [asked for asked in liar.seen if b"sendraw" in asked.body.lower() or asked.path.endswith("/tx")]
    assert len(sends) == 1  # never a second time by itself
    liar.behave = lambda asked, forward: forward()
    txid = chain.broadcast(raw)
    assert party.chain.confirmation(txid).state == "mempool"
    party.node.mine()


def test_a_node_that_never_answers_is_unavailable_within_the_timeout(party, liar):
    chain = party.connect(liar.url, timeout_s=0.5)
    liar.behave = lambda asked, forward: Answer(hang=True)
    started = time.monotonic()
    with pytest.raises(NodeUnavailable):
        chain.tip()
    assert time.monotonic() - started < DEADLINE_S


def _questions(party: Party, chain: Any) -> dict[str, Any]:
    """Every question of the Protocol, each against something that the true node has an answer to."""
    address, key = party.fresh()
    txid = party.node.send(address, party.unit)
    party.node.mine()
    party.node.send(address, party.unit)
    raw, _ = party.own_transaction()
    height = party.node.height()
    return {
        "check": chain.check,
        "tip": chain.tip,
        "finalized": chain.finalized,
        "block_ref": lambda: chain.block_ref(height),
        "block": lambda: chain.block(height - 1).credits({key}),
        "mempool": lambda: chain.mempool().transactions({key}),
        "confirmation": lambda: chain.confirmation(txid),
        "holdings": lambda: chain.holdings([key]),
        "broadcast": lambda: chain.broadcast(raw),
    }


WHOLE_LIES = {
    "closed": Answer(drop=True),
    "empty": Answer(b""),
    "html": Answer(b"<html>Bad gateway</html>", 502),
    "busy": Answer(b"Work queue depth exceeded", 503),
    "not json": Answer(b'{"jsonrpc": "2.0", "id": 1, "resu'),
    "a list": Answer(b"[]"),
    "a number": Answer(b"7"),
    "nothing": Answer(b"null"),
    "deep": Answer(b"[" * 100_000),
    "no result": Answer(b'{"jsonrpc": "2.0", "id": 1}'),
    "odd error": Answer(b'{"jsonrpc": "2.0", "id": 1, "error": 7}'),
    "text error": Answer(b'{"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": ["y"]}}'),
    "elsewhere": Answer(b"", 302, {"Location": "http://127.0.0.1:1/"}),
    "bytes": Answer(bytes(range(256))),
}


def test_whatever_a_server_answers_only_chain_errors_come_out(party, liar):
    chain = party.connect(liar.url, timeout_s=5)
    questions = _questions(party, chain)
    chain.check()
    for name, lie in WHOLE_LIES.items():
        liar.behave = lambda asked, forward, lie=lie: lie
        for question, ask in questions.items():
            try:
                told = ask()
            except ChainError:
                continue
            # A chain without final blocks is told by a refusal, and has none.
            assert (question, told) == ("finalized", None), (name, question, told)
    liar.behave = lambda asked, forward: forward()
    party.node.mine()


JUNK = [None, True, -1, 2**300, 1.5, "", "0x", "0xzz", "junk", "0x" + "f" * 70, [], {}, [None], {"a": 1}]


def _mutated(value: Any, chance: random.Random) -> Any:
    """The value with one part of it, anywhere, replaced by junk or left out."""
    inside = isinstance(value, dict | list) and value and chance.random() < 0.85
    if not inside:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        name = chance.choice(sorted(value))
        if chance.random() < 0.15:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: _mutated(value[name], chance)}
    place = chance.randrange(len(value))
    if chance.random() < 0.15:
        return value[:place] + value[place + 1 :]
    return [*value[:place], _mutated(value[place], chance), *value[place + 1 :]]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_part_of_an_answer_is_wrong_only_chain_errors_come_out(party, liar, seed):
    chance = random.Random(seed)
    chain = party.connect(liar.url, timeout_s=5)
    questions = _questions(party, chain)
    lied = 0

    def lie(asked, forward):
        nonlocal lied
        answer = forward()
        if chance.random() < 0.5:
            return answer
        lied += 1
        try:
            body = json.loads(answer.body)
        except ValueError:
            return Answer(bytes(chance.randbytes(40)), answer.status)
        if isinstance(body, dict) and "result" in body and chance.random() < 0.9:
            return Answer(json.dumps({**body, "result": _mutated(body["result"], chance)}).encode(), answer.status)
        return Answer(json.dumps(_mutated(body, chance)).encode(), answer.status)

    liar.behave = lie
    for _ in range(15):
        for question, ask in questions.items():
            try:
                ask()
            except ChainError:
                continue
            except Exception as error:  # what the test is about
                raise AssertionError(f"{question}, seed {seed}: {error!r}") from error
    assert lied > 30
    liar.behave = lambda asked, forward: forward()
    party.node.mine()


def test_no_error_shows_a_password_or_a_key(party, liar: Between):
    chain = party.connect(liar.url.replace("http://", "http://").rstrip("/") + "/secret-key-1234567890", timeout_s=2)
    for lie in WHOLE_LIES.values():
        liar.behave = lambda asked, forward, lie=lie: lie
        with pytest.raises(ChainError) as told:
            chain.tip()
        for secret in filter(None, ("secret-key-1234567890", liar.node.password)):
            assert secret not in f"{told.value!s} {told.value!r}"


def _txid(party: Party, raw: bytes) -> str:
    from wallets.chains.evm import transaction as evm_transaction
    from wallets.chains.utxo import transaction as utxo_transaction

    module = evm_transaction if party.row["family"] == "evm" else utxo_transaction
    return str(module.decode(raw).txid)


def _first_block(party: Party) -> bytes:
    return party.chain.block_ref(0).hash.encode()
