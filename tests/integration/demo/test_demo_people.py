"""The demo's people: opened once, waiting for coins from outside, and never where real people trade."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from custody.accounts import Accounts
from custody.public_keys import document
from custody.signers.software import SoftwareSigner
from deploy.demo import codes
from deploy.setup import places
from exchange.accounts import selectors as accounts
from exchange.accounts.second_factors import codes as factors
from exchange.accounts.second_factors import selectors
from exchange.assets import selectors as assets
from exchange.ledger import selectors as ledger
from exchange.site.demo import DemoRefused, cast, seeding

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CUSTOMER = seeding.LogIn("demo@bourse.example", "correct horse battery", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
STAFF = seeding.LogIn("staff@bourse.example", "another long password", "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU")


@pytest.fixture
def keys(settings):
    chains = {
        "bitcoin": {"network": "regtest"},
        "litecoin": {"network": "regtest"},
        "ethereum": {"chain_id": 31337},
    }
    return document(SoftwareSigner(bytes(range(64))), chains, Accounts())


def seed(keys):
    return seeding.seed(customer=CUSTOMER, member_of_staff=STAFF, token=TOKEN, keys=keys, now=NOW)


@pytest.mark.django_db
def test_everybody_is_opened_and_waits_for_coins(settings, keys):
    settings.DEMO = True
    payments = seed(keys)
    customer = accounts.by_email(CUSTOMER.email)
    assert customer is not None
    assert not customer.is_staff
    member = accounts.by_email(STAFF.email)
    assert member is not None
    assert member.is_staff
    assert len({payment.id for payment in payments}) == len(payments) == 4 * (2 + len(cast.TRADERS))
    assert all(payment.network == cast.NETWORKS[payment.asset] and payment.amount > 0 for payment in payments)
    assert assets.asset_network(asset="USDT", network="ethereum").contract == TOKEN


@pytest.mark.django_db
def test_both_log_ins_have_the_app_that_make_code_plays(settings, keys):
    settings.DEMO = True
    seed(keys)
    for log_in in (CUSTOMER, STAFF):
        person = accounts.by_email(log_in.email)
        assert person is not None
        assert [factor.kind for factor in selectors.factors(person.id)] == [selectors.TOTP, selectors.RECOVERY_CODES]
        counter = codes.counter_now()
        assert factors.present(person.id, at=counter * codes.PERIOD_S) == codes.code(log_in.factor, counter)
    assert CUSTOMER.email in codes.said({CUSTOMER.email: CUSTOMER.factor})


@pytest.mark.django_db
def test_nobody_gets_a_balance_by_seeding(settings, keys):
    settings.DEMO = True
    seed(keys)
    customer = accounts.by_email(CUSTOMER.email)
    assert customer is not None
    assert {balance.balance for balance in ledger.balances(owner_id=customer.id)} == {0}
    assert all(total.balance == 0 for total in ledger.totals())


@pytest.mark.django_db
def test_seeding_again_changes_nothing(settings, keys):
    settings.DEMO = True
    first = seed(keys)
    assert seed(keys) == first


@pytest.mark.django_db
def test_no_demo_people_where_the_demo_is_off(settings, keys):
    settings.DEMO = False
    with pytest.raises(DemoRefused):
        seed(keys)
    assert accounts.by_email(CUSTOMER.email) is None


@pytest.mark.django_db
def test_no_demo_people_in_production_whatever_the_demo_switch_says(settings, keys):
    settings.DEMO, settings.PRODUCTION = True, True
    with pytest.raises(DemoRefused):
        seed(keys)
    assert accounts.by_email(CUSTOMER.email) is None


PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "SECRET_KEY": "4kQ9vXw2Zr7Lm1Ty8Bc5Nd3Hs6Jf0Gp-Ua_Ve+Wi=Xo4Yq7Zs1Rt8",
    "SECRETS_MASTER_KEY": "q83vEjRWeJCrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
    "KYC_DOCUMENTS_DIR": "/srv/bourse/documents",
    "SUBJECT_KEYS_DIR": "/srv/bourse/keys",
    "DATABASE_URL": "postgresql://bourse_app:dummy@127.0.0.1:9/bourse",
    "REDIS_URL": "redis://127.0.0.1:9/0",
    "EMAIL_URL": "smtp://127.0.0.1:9",
    "ALLOWED_HOSTS": "exchange.example",
    "TRUSTED_PROXY_COUNT": "0",
    "DEMO_CUSTOMER_EMAIL": CUSTOMER.email,
    "DEMO_CUSTOMER_PASSWORD": CUSTOMER.password,
    "DEMO_STAFF_EMAIL": STAFF.email,
    "DEMO_STAFF_PASSWORD": STAFF.password,
}


@pytest.mark.parametrize("words", [["demo_traders"], ["demo_seed", "--token", TOKEN, "--xpubs", "package.json"]])
@pytest.mark.parametrize(("switch", "said"), [("", "does not run here"), ("1", "BOURSE_DEMO")])
def test_production_settings_refuse_the_demos_commands(words, switch, said):
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, **({"BOURSE_DEMO": switch} if switch else {})}
    ran = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=places.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode != 0
    assert said in ran.stderr
