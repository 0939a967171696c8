"""The audit: what is committed is sealed, and what is tampered with is found and named."""

from datetime import UTC, datetime, timedelta
from threading import Thread

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.test import RequestFactory

from exchange.audit import chain, selectors, services
from exchange.audit.models import Record, Seal

NOW = datetime(2026, 11, 20, 6, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def owner(owner_connection):
    return owner_connection.cursor()


def deed(number=1, **fields):
    return services.record(
        **{
            "actor_id": 7,
            "action": "withdrawal.approve",
            "subject": f"withdrawal:{number}",
            "before": {"state": "review"},
            "after": {"state": "approved", "note": "ütf-8 ✓", "n": None},
            "origin": "ip=192.0.2.1 agent=x",
            "now": NOW + timedelta(seconds=number),
            **fields,
        }
    )


def tamper(owner, statement):
    """As the owner with the triggers off: the strongest hand inside the database."""
    owner.execute("ALTER TABLE audit_record DISABLE TRIGGER USER; ALTER TABLE audit_seal DISABLE TRIGGER USER")
    owner.execute(statement)
    owner.execute("ALTER TABLE audit_record ENABLE TRIGGER USER; ALTER TABLE audit_seal ENABLE TRIGGER USER")


@pytest.mark.django_db(transaction=True)
def test_it_seals_every_committed_record_in_one_chain():
    ids = [deed(n) for n in range(1, 6)]
    result = selectors.verify()
    assert (result.checked, result.problem) == (5, None)
    assert list(Seal.objects.order_by("seq").values_list("seq", "record_id")) == list(enumerate(ids, start=1))
    assert result.tip == selectors.tip()


@pytest.mark.django_db(transaction=True)
def test_an_empty_audit_is_whole():
    assert selectors.verify().problem is None
    assert selectors.tip() == selectors.Tip(seq=0, hash=chain.GENESIS.hex())


@pytest.mark.django_db(transaction=True)
def test_a_deed_that_is_rolled_back_leaves_no_record_and_no_gap():
    deed(1)
    with pytest.raises(RuntimeError), transaction.atomic():
        deed(2)
        raise RuntimeError
    deed(3)
    assert list(Record.objects.order_by("id").values_list("subject", flat=True)) == ["withdrawal:1", "withdrawal:3"]
    assert selectors.verify().checked == 2


@pytest.mark.django_db(transaction=True)
def test_odd_values_verify():
    deed(1, actor_id=None, before=None, after={}, origin="", subject="ж" * 500)
    deed(2, after={"b": 1, "a": [1, "x", {"ü": "\u2028"}], "big": 10**30})
    assert selectors.verify().problem is None


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain_without_gaps():
    def write(start):
        try:
            for number in range(20):
                with transaction.atomic():
                    deed(start + number)
                    deed(start + number)
        finally:
            connection.close()

    threads = [Thread(target=write, args=(n * 100,)) for n in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    result = selectors.verify()
    assert (result.checked, result.problem) == (240, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_record SET action = 'x'",
        "DELETE FROM audit_record",
        "TRUNCATE audit_record",
        "INSERT INTO audit_seal VALUES (99, 99, sha256('x'))",
        "UPDATE audit_seal SET hash = sha256('x')",
        "DELETE FROM audit_seal",
        "UPDATE audit_tip SET seq = 0",
        "UPDATE audit_record_0 SET action = 'x'",
        "INSERT INTO audit_record_0 (id, at, action, subject) VALUES (5, now(), 'x', 'y')",
    ],
)
def test_the_runtime_role_cannot_change_what_is_written(statement):
    deed()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute(statement)
    assert selectors.verify().problem is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement", ["UPDATE audit_record SET action = 'x'", "DELETE FROM audit_seal", "TRUNCATE audit_record"]
)
def test_even_the_owner_meets_the_trigger(owner, statement):
    deed()
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="append-only"):
        owner.execute(statement)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "change",
    [
        "actor_id = 8",
        "actor_id = NULL",
        "action = 'withdrawal.reject'",
        "subject = 'withdrawal:4'",
        "at = at + interval '1 microsecond'",
        "before = NULL",
        """after = after || '{"state": "rejected"}'""",
        "origin = ''",
    ],
)
def test_tampering_by_sql_is_found_and_the_first_wrong_record_named(owner, change):
    ids = [deed(n) for n in range(1, 8)]
    tamper(owner, f"UPDATE audit_record SET {change} WHERE id = {ids[2]}")
    tamper(owner, f"UPDATE audit_record SET {change} WHERE id = {ids[5]}")
    problem = selectors.verify().problem
    assert (problem.record_id, problem.seq) == (ids[2], 3)
    assert "changed" in problem.what


@pytest.mark.django_db(transaction=True)
def test_a_deleted_record_is_found(owner):
    ids = [deed(n) for n in range(1, 5)]
    tamper(owner, f"DELETE FROM audit_record WHERE id = {ids[1]}")
    problem = selectors.verify().problem
    assert (problem.record_id, problem.what) == (ids[1], "was deleted")


@pytest.mark.django_db(transaction=True)
def test_a_record_deleted_with_its_seal_is_found(owner):
    ids = [deed(n) for n in range(1, 5)]
    tamper(owner, f"DELETE FROM audit_record WHERE id = {ids[1]}; DELETE FROM audit_seal WHERE seq = 2")
    assert selectors.verify().problem.what == "seal 2 is missing"


@pytest.mark.django_db(transaction=True)
def test_a_record_slipped_in_without_a_seal_is_found(owner):
    deed()
    tamper(owner, "INSERT INTO audit_record (id, at, action, subject) VALUES (900, now(), 'x', 'y')")
    assert selectors.verify().problem.record_id == 900


@pytest.mark.django_db(transaction=True)
def test_a_chain_cut_short_is_found_by_its_tip_and_behind_it_by_an_anchor(owner):
    ids = [deed(n) for n in range(1, 5)]
    anchor = selectors.tip()
    cut = f"DELETE FROM audit_record WHERE id = {ids[3]}; DELETE FROM audit_seal WHERE seq = 4;"
    tamper(owner, cut)
    assert "tip says 4" in selectors.verify().problem.what
    owner.execute("UPDATE audit_tip SET seq = 3, hash = (SELECT hash FROM audit_seal WHERE seq = 3)")
    assert selectors.verify().problem is None
    assert "before the anchor 4" in selectors.verify(anchor=anchor).problem.what


@pytest.mark.django_db(transaction=True)
def test_a_chain_sealed_anew_is_found_by_an_anchor(owner):
    ids = [deed(n) for n in range(1, 4)]
    anchor = selectors.tip()
    tamper(
        owner,
        f"""UPDATE audit_record SET subject = 'withdrawal:9' WHERE id = {ids[1]};
        UPDATE audit_seal s SET hash = audit_digest((SELECT hash FROM audit_seal WHERE seq = s.seq - 1), s.seq, r)
        FROM audit_record r WHERE r.id = s.record_id AND s.seq = 2;
        UPDATE audit_seal s SET hash = audit_digest((SELECT hash FROM audit_seal WHERE seq = s.seq - 1), s.seq, r)
        FROM audit_record r WHERE r.id = s.record_id AND s.seq = 3;
        UPDATE audit_tip SET hash = (SELECT hash FROM audit_seal WHERE seq = 3);""",
    )
    assert selectors.verify().problem is None
    assert "sealed anew" in selectors.verify(anchor=anchor).problem.what


@pytest.mark.django_db(transaction=True)
def test_the_command_says_whole_or_names_the_wrong_record(owner, capsys):
    record_id = deed()
    tip = selectors.tip()
    call_command("audit", "verify", "--anchor", str(tip))
    assert "1 records, every seal good" in capsys.readouterr().out
    tamper(owner, "UPDATE audit_record SET origin = 'elsewhere'")
    with pytest.raises(CommandError, match=f"record {record_id} was changed"):
        call_command("audit", "verify")
    with pytest.raises(CommandError, match="SEQ:HASH"):
        call_command("audit", "verify", "--anchor", "nonsense")


@pytest.mark.django_db(transaction=True)
def test_partitions_are_made_ahead(owner):
    owner.execute("ALTER TABLE audit_record ALTER COLUMN id RESTART WITH 1999999")
    deed(1)
    assert services.make_partitions() == 1
    deed(2), deed(3)
    assert selectors.verify().checked == 3
    assert services.make_partitions() == 1
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("DELETE FROM audit_record_3")


def test_an_origin_is_address_and_browser():
    request = RequestFactory().get("/", headers={"User-Agent": "Fire\nfox"}, REMOTE_ADDR="192.0.2.7")
    assert services.origin_of(request) == "ip=192.0.2.7 agent=Firefox"
    assert services.origin_of(None) == ""
