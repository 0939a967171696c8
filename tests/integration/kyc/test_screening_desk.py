"""Cases as staff see and decide them, and the commands."""

import pytest
from django.core.management import CommandError, call_command

from benchmarks import screening_names as made
from exchange.accounts.models import User
from exchange.audit.models import Record
from exchange.core.errors import DomainError
from kyc.models import ScreeningCase
from kyc.screening import entries, joining, selectors
from kyc.screening.services import cases, lists, viewing
from tests.integration.kyc.screening_kit import NOW, STAFF, customer, reviewer, screen

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_index")]


def test_the_case_shows_the_entry_beside_the_customer_and_notes_who_looked(shown):
    client, person = reviewer("staff@example.com")
    page = client.get(f"/admin/kyc/screeningcase/{shown.id}/change/")
    text = page.content.decode()
    assert (
        page.status_code == 200
        and "Nikolai Petrovich" in text
        and "PETROVICH, Nikolai" in text
        and "12 Aug 1962" in text
    )
    assert "no-store" in page["Cache-Control"]
    record = Record.objects.get(action="kyc.view_screening_case")
    assert (record.actor_id, record.subject) == (person.id, f"case:{shown.id}") and record.origin


def test_who_may_not_decide_sees_no_name_and_decides_nothing(shown):
    client, _ = reviewer("staff@example.com", may=False)
    page = client.get(f"/admin/kyc/screeningcase/{shown.id}/change/")
    assert "Nikolai Petrovich" not in page.content.decode()
    assert not Record.objects.filter(action="kyc.view_screening_case").exists()
    said = client.post(f"/admin/kyc/screeningcase/{shown.id}/decide/", {"verdict": "clear", "reason": "x"})
    assert said.status_code == 403 and ScreeningCase.objects.get(id=shown.id).state == "open"


def test_two_people_clear_it_on_its_page(shown):
    for email, state in (("a@example.com", "open"), ("b@example.com", "cleared")):
        client, person = reviewer(email)
        url = f"/admin/kyc/screeningcase/{shown.id}/decide/"
        assert client.get(url).status_code == 405
        assert client.post(url, {"verdict": "clear", "reason": "Born elsewhere."}).status_code == 302
        assert ScreeningCase.objects.get(id=shown.id).state == state
        assert Record.objects.filter(action="kyc.clear_screening_case", actor_id=person.id).exists()


def test_the_queue_costs_the_same_for_many(shown, django_assert_max_num_queries):
    client, _ = reviewer("staff@example.com")
    for n in range(30):
        screen(user_id=10_000 + n)
    client.get("/admin/kyc/screeningcase/")  # what the side shows is counted, and remembered for some seconds
    with django_assert_max_num_queries(25):
        assert client.get("/admin/kyc/screeningcase/").content.decode().count("PETROVICH, Nikolai") >= 30


def test_nobody_sees_a_case_of_his_own(shown):
    client, person = reviewer("staff@example.com")
    ScreeningCase.objects.filter(id=shown.id).update(user_id=person.id)
    assert client.get(f"/admin/kyc/screeningcase/{shown.id}/change/").status_code == 404
    assert "PETROVICH" not in client.get("/admin/kyc/screeningcase/").content.decode()
    with pytest.raises(cases.OwnCase):
        viewing.open_case(case_id=shown.id, actor_id=person.id, now=NOW)


def test_a_case_that_is_not_there_is_not_there(shown):
    client, _ = reviewer("staff@example.com")
    assert client.get("/admin/kyc/screeningcase/999999/change/").status_code == 404


def test_a_view_opens_what_is_known_now(shown):
    view = viewing.open_case(case_id=shown.id, actor_id=STAFF, now=NOW)
    assert view.names == ("Nikolai Petrovich",) and not view.changed and view.clear_takes == 2
    assert {(pair.asked, pair.listed) for pair in view.pairs} == {("nikolai", "nikolai"), ("petrovich", "petrovich")}
    User.objects.filter(id=shown.user_id).update(display_name="Somebody Else")
    view = viewing.open_case(case_id=shown.id, actor_id=STAFF, now=NOW)
    assert view.changed and view.pairs == ()
    assert isinstance(view.entry, entries.Entry)


def test_the_commands_load_list_and_screen(tmp_path, capsys):
    for name, raw in made.files(made.listed(60, 5)).items():
        (tmp_path / name).write_bytes(raw)
    customer("one@example.com", "Anna Weber")
    call_command("kyc", "load_sanctions", *(str(tmp_path / name) for name in ("sdn.csv", "alt.csv", "add.csv")))
    call_command("kyc", "sanctions")
    call_command("kyc", "rescreen")
    out = capsys.readouterr().out
    assert "60 entries" in out and "customers screened" in out
    (tmp_path / "sdn.csv").write_bytes(b"nonsense")
    with pytest.raises(CommandError, match="what was in force still is"):
        call_command("kyc", "load_sanctions", str(tmp_path / "sdn.csv"))
    with pytest.raises(CommandError):
        call_command("kyc", "load_sanctions", str(tmp_path / "missing.csv"))


def test_refusals_are_domain_errors():
    for error in (lists.ListRefused, cases.OwnCase, selectors.UnderReview, joining.NotScreened):
        assert issubclass(error, DomainError)
