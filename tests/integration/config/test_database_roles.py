"""The run-time role serves, the owner migrates, and nobody else makes tables."""

import psycopg2
import pytest
from django.contrib.auth import get_user_model
from django.db import connection


@pytest.mark.django_db
def test_the_suite_runs_as_the_run_time_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("bourse_app", False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", [1, 2])
def test_a_committed_row_is_gone_in_the_next_test(attempt: int) -> None:
    users = get_user_model().objects
    assert users.count() == 0
    users.create_user(email="left@example.com", password=None)
    assert users.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["app", "engine", "signer"])
def test_no_run_time_role_makes_tables(database_url, role: str) -> None:
    with (
        psycopg2.connect(database_url(role)) as session,
        session.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute("CREATE TABLE intruder (id int)")
