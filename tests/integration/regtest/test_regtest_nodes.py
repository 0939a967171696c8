"""The private chains that everything else is tested on: they start, pay, survive a kill, and refuse production."""

import socket
from pathlib import Path

import pytest

from config.regtest import Anvil, Bitcoind, Litecoind, NodeError

pytestmark = pytest.mark.node

COIN = 10**8


def test_bitcoind_pays_an_address_and_mines_it(bitcoind):
    address = bitcoind.new_address()
    before = bitcoind.height()
    bitcoind.send(address, 12_345)
    assert bitcoind.received(address) == 12_345
    assert bitcoind.received(address, confirmations=1) == 0
    bitcoind.mine(2)
    assert bitcoind.height() == before + 2
    assert bitcoind.received(address, confirmations=2) == 12_345


def test_bitcoind_puts_a_payment_back_when_its_block_is_reorganised_away(bitcoind):
    address = bitcoind.new_address()
    txid = bitcoind.send(address, 7_000)
    [block] = bitcoind.mine()
    bitcoind.invalidate(block)
    assert txid in bitcoind.rpc("getrawmempool")
    bitcoind.mine(2)
    assert bitcoind.received(address, confirmations=1) == 7_000


def test_litecoind_has_mweb_active_and_pegs_out(litecoind):
    address = litecoind.new_address()
    litecoind.peg_out(address, COIN)
    [block] = litecoind.mine()
    transactions = litecoind.rpc("getblock", block, 2)["tx"]
    assert transactions[-1]["vout"][0]["scriptPubKey"]["type"] == "witness_mweb_hogaddr"
    assert litecoind.received(address, confirmations=1) == COIN


def test_anvil_holds_a_payment_until_a_block_is_mined(anvil):
    receiver = anvil.accounts[7]
    before = anvil.balance(receiver)
    txid = anvil.send(receiver, 10**18)
    assert anvil.balance(receiver) == before
    assert anvil.rpc("eth_getTransactionReceipt", txid) is None
    anvil.mine()
    anvil.receipt(txid)
    assert anvil.balance(receiver) == before + 10**18


@pytest.mark.parametrize("kind", [Bitcoind, Litecoind])
def test_a_killed_node_comes_back_with_every_block(kind, tmp_path: Path):
    with kind(folder=tmp_path / "node") as node:
        [tip] = node.mine()
        node.kill()
        assert not node.running
        node.start()
        assert node.rpc("getbestblockhash") == tip


def test_a_killed_anvil_comes_back_with_every_block(tmp_path: Path):
    with Anvil(folder=tmp_path / "anvil") as node:
        node.send(node.accounts[3], 5 * 10**17)
        tip = node.mine(3)[-1]
        node.kill()
        node.start()
        assert node.rpc("eth_getBlockByNumber", "latest", False)["hash"] == tip
        assert node.balance(node.accounts[3]) == 10_000 * 10**18 + 5 * 10**17


def test_a_stopped_node_leaves_its_port(tmp_path: Path):
    node = Bitcoind(folder=tmp_path / "node")
    node.start()
    port = node.port
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    node.stop()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        pass


def test_the_password_stands_in_no_command_line(bitcoind):
    words = Path(f"/proc/{bitcoind.pid}/cmdline").read_bytes()
    assert bitcoind.password
    assert bitcoind.password.encode() not in words
    assert (bitcoind.folder / "bitcoin.conf").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", [Bitcoind, Litecoind, Anvil])
def test_no_node_under_production_settings(kind, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BOURSE_HOUSE_SETTINGS", "config.settings.prod")
    with pytest.raises(NodeError, match=r"config\.settings\.prod"):
        kind(folder=tmp_path)


def test_a_program_that_does_not_exist_is_named(tmp_path: Path, monkeypatch):
    from deploy.setup.failures import SetupError

    monkeypatch.setenv("BITCOIND", "/nowhere/bitcoind")
    with pytest.raises(SetupError, match="BITCOIND=/nowhere/bitcoind"):
        Bitcoind(folder=tmp_path).start()


def test_a_port_taken_in_the_last_moment_is_given_up_for_another(tmp_path: Path):
    node = Bitcoind(folder=tmp_path / "node")
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", node.port))
        thief.listen()
        taken = node.port
        with node:
            assert node.port != taken
            assert node.height() > 0


def test_a_given_port_that_is_taken_is_an_error(tmp_path: Path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        node = Bitcoind(folder=tmp_path / "node", port=holder.getsockname()[1])
        with pytest.raises(NodeError):
            node.start()
