"""The contracts of .importlinter hold the real house, and each of them turns red when somebody breaks it.

The house here is a small model of the real one: empty modules of the same names, into which one import is put.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).with_name("lint-imports")

ROOMS = [
    "outgoing",
    "outbox",
    "secrets",
    "audit",
    "accounts",
    "assets",
    "notifications",
    "flows",
    "fiat",
    "invoices",
    "compliance",
    "site",
    "backoffice",
    "proposals",
]
MODULES = [
    *("config.settings.base", "config.settings.prod", "config.settings.signer", "config.embedded", "config.regtest"),
    *("exchange.core.amounts", "exchange.ledger.models", "exchange.ledger.journal", "exchange.ledger.services"),
    *(f"exchange.{room}.services" for room in ROOMS),
    *("trading.engine.book", "trading.services", "wallets.services", "wallets.chains.protocol"),
    *("wallets.chains.utxo.blocks", "wallets.chains.evm.blocks", "custody.policy", "custody.signers.software"),
    *("custody.services", "kyc.services", "deploy.demo"),
    *(f"kyc.screening.{name}" for name in ("countries", "entries", "keys", "likeness", "matching", "names")),
    *(f"kyc.screening.{name}" for name in ("publications", "sdn_csv", "sdn_xml")),
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for module in MODULES:
        folder = tmp_path
        *parents, last = module.split(".")
        for part in parents:
            folder = folder / part
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").touch()
        (folder / f"{last}.py").touch()
    return tmp_path


def put(house: Path, module: str, line: str) -> None:
    file = house / Path(*module.split("."))
    (file.with_suffix(".py") if file.with_suffix(".py").exists() else file / "__init__.py").write_text(f"{line}\n")


def broken(house: Path) -> set[str]:
    """The contracts that lint-imports calls broken."""
    ran = subprocess.run(
        [LINT, "--config", ROOT / ".importlinter", "--no-cache"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert "Contracts:" in ran.stdout, ran.stdout + ran.stderr
    found = {line.removesuffix(" BROKEN") for line in ran.stdout.splitlines() if line.endswith(" BROKEN")}
    assert bool(found) == (ran.returncode != 0)
    return found


def test_the_model_of_the_house_breaks_nothing(house):
    assert broken(house) == set()


DOWN = "Money flows down: a room imports only what stands below it, and no sibling"
PURE = "The pure rooms know no Django, no Celery, no Channels"
LEAF = "wallets.chains is a leaf: it imports no other room"


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("exchange.ledger.services", "import wallets.services", DOWN),
        ("exchange.core.amounts", "import exchange.ledger.services", DOWN),
        ("trading.services", "import wallets.services", DOWN),
        ("wallets.services", "import trading.services", DOWN),
        ("exchange.accounts.services", "import exchange.ledger.services", DOWN),
        ("exchange.fiat.services", "import exchange.invoices.services", DOWN),
        ("custody.services", "import wallets.services", DOWN),
        ("kyc.services", "import config.settings.base", DOWN),
        ("exchange.core.amounts", "import django.db", PURE),
        ("exchange.ledger.journal", "import django", PURE),
        ("trading.engine.book", "import celery", PURE),
        ("custody.policy", "import channels", PURE),
        ("kyc.screening.matching", "import django", PURE),
        ("custody.signers.software", "import django.conf", PURE),
        ("wallets.chains.evm.blocks", "import django.utils", PURE),
        ("wallets.chains.utxo.blocks", "import exchange.ledger.services", LEAF),
        ("wallets.chains.utxo.blocks", "import wallets.chains.evm.blocks", "Chain modules know nothing of each other"),
        ("trading.services", "import exchange.ledger.models", "Nothing but the ledger touches the ledger's tables"),
        ("wallets.services", "import custody.signers.software", "Nothing but custody reaches the signers"),
        ("config.settings.prod", "import config.embedded", "Production settings reach nothing of the demo"),
        ("exchange.site.services", "import deploy.demo", "No room imports what stands around the code"),
    ],
)
def test_each_contract_turns_red(house, module, line, contract):
    put(house, module, line)
    assert contract in broken(house)


def test_a_pure_room_may_not_reach_django_by_a_detour(house):
    put(house, "wallets.chains.protocol", "import exchange.core.amounts")
    put(house, "exchange.core.amounts", "import django")
    assert PURE in broken(house)


@pytest.mark.parametrize("module", ["custody.services", "exchange.assets.services", "kyc.services", "custody.policy"])
def test_any_room_may_read_the_chains(house, module):
    put(house, module, "import wallets.chains.protocol")
    assert broken(house) == set()


def test_the_ledger_may_use_its_own_tables(house):
    put(house, "exchange.ledger.services", "import exchange.ledger.models")
    assert broken(house) == set()
