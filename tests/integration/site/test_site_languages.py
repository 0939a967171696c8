"""In which language and currency pages are shown, what they say when something goes wrong, help, legal pages and incidents."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone, translation

from exchange.accounts import preferences
from exchange.accounts.models import User
from exchange.assets import display, prices
from exchange.assets.models import Asset, Rate
from exchange.audit.models import Record
from exchange.site import checks, maintenance, references
from exchange.site.models import Incident, IncidentNews
from exchange.site.selectors import incidents as desk
from exchange.site.services import incidents
from tests.factors import log_in_staff

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}


def shown(response: Any) -> str:
    return response.content.decode()


class TestLanguage:
    def test_a_guest_reads_what_the_browser_asks_for_and_no_cache_mixes_them_up(self, client: Client) -> None:
        german, english = client.get("/help/", **GERMAN), client.get("/help/")
        assert '<html lang="de" dir="ltr"' in shown(german) and "Wie können wir helfen?" in shown(german)
        assert '<html lang="en" dir="ltr"' in shown(english) and "How can we help?" in shown(english)
        for answer, language in ((german, "de"), (english, "en")):
            assert answer["Content-Language"] == language
            assert {"Accept-Language", "Cookie"} <= {each.strip() for each in answer["Vary"].split(",")}

    def test_scripts_speak_the_language_of_the_page(self, client: Client) -> None:
        assert '<script defer src="/static/words/de.js"></script>' in shown(client.get("/help/", **GERMAN))
        assert "words/" not in shown(client.get("/help/"))

    def test_a_guests_choice_holds_whatever_the_browser_asks_for(self, client: Client) -> None:
        answer = client.post("/language/", {"language": "de", "next": "/help/?q=order"})
        assert answer["Location"] == "/help/?q=order"
        assert client.cookies["language"]["httponly"] and client.cookies["language"].value == "de"
        assert '<html lang="de"' in shown(client.get("/help/", HTTP_ACCEPT_LANGUAGE="en"))

    @pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
    def test_the_switch_leads_nowhere_else(self, client: Client, wanted: str) -> None:
        assert client.post("/language/", {"language": "de", "next": wanted})["Location"] == "/"

    def test_a_language_that_is_none_changes_nothing(self, client: Client) -> None:
        client.post("/language/", {"language": "xx", "next": "/"})
        assert "language" not in client.cookies
        assert client.get("/language/").status_code == 405

    def test_a_customers_choice_is_kept_with_the_account(self, person: Any) -> None:
        alice = person("alice")
        alice.post("/language/", {"language": "de", "next": "/"})
        assert User.objects.get(pk=alice.user_id).language == "de"
        elsewhere = Client()
        elsewhere.force_login(User.objects.get(pk=alice.user_id), backend="django.contrib.auth.backends.ModelBackend")
        assert '<html lang="de"' in shown(elsewhere.get("/account/", HTTP_ACCEPT_LANGUAGE="en"))

    def test_the_api_and_the_back_office_speak_english(self, client: Client) -> None:
        answer = client.get("/api/v1/markets/NOPE", **GERMAN)
        assert answer.json()["error"]["message"] == "There is no such market."
        assert "Accept-Language" not in answer.get("Vary", "")
        staff = User.objects.create_superuser("boss@example.com", "correct horse battery staple", language="de")
        log_in_staff(client, staff)
        assert 'lang="en"' in shown(client.get("/admin/", **GERMAN))

    def test_what_the_domain_refuses_is_said_in_the_readers_language(self, person: Any) -> None:
        alice = person("alice")
        alice.post("/language/", {"language": "de", "next": "/"})
        answer = alice.post("/account/api-keys/none/revoke/", follow=True)
        assert "Diesen Schlüssel gibt es nicht." in shown(answer)

    def test_one_language_does_not_leak_into_what_comes_after(self, client: Client) -> None:
        client.get("/help/", **GERMAN)
        assert translation.get_language() == "en"


def test_a_language_that_was_not_compiled_is_told_at_start_up(settings: Any, tmp_path: Path) -> None:
    assert checks.languages_are_compiled(None) == []
    settings.LOCALE_PATHS = [tmp_path]
    assert [each.id for each in checks.languages_are_compiled(None)] == ["site.W001"]


class TestPreferences:
    def rate(self, code: str, usd: str) -> None:
        asset = Asset.objects.get(code=code)
        now = timezone.now()
        Rate.objects.update_or_create(
            asset=asset, defaults={"price": usd, "as_of": now, "fetched_at": now, "source": "test"}
        )

    def test_language_and_currency_are_saved_together(self, person: Any) -> None:
        self.rate("EUR", "1.08")
        alice = person("alice")
        alice.post("/account/preferences/", {"language": "de", "currency": "EUR"})
        user = User.objects.get(pk=alice.user_id)
        assert (user.language, preferences.of(user).currency) == ("de", "EUR")
        assert "Sprache und Währung" in shown(alice.get("/account/preferences/"))

    def test_a_currency_without_a_rate_is_not_offered_and_one_that_lost_it_falls_back(self, person: Any) -> None:
        alice = person("alice")
        alice.post("/account/preferences/", {"language": "en", "currency": "EUR"})
        assert preferences.of(User.objects.get(pk=alice.user_id)).currency == "USD"
        assert "EUR" not in {each.code for each in display.currencies()}
        assert display.currency("EUR").code == display.currency("").code == "USD"
        self.rate("EUR", "1.08")
        assert display.currency("EUR").code == "EUR"

    def test_a_worth_in_another_currency_is_the_same_worth(self) -> None:
        self.rate("EUR", "1.25")
        self.rate("BTC", "50000")
        bitcoin = Asset.objects.get(code="BTC").id
        worth = prices.worth(asset_id=bitcoin, amount=10**8, in_code="EUR", now=timezone.now())
        assert worth is not None and (worth.amount, worth.decimals) == (4_000_000, 2)

    def test_what_values_are_shown_in_is_nothing_to_hold(self) -> None:
        assert not Asset.objects.filter(code__in=("EUR", "GBP", "CHF"), enabled=True).exists()


class TestAccountPages:
    def test_the_hub_says_what_is_left_to_do(self, person: Any) -> None:
        text = shown(person("alice").get("/account/"))
        assert "Set up a second factor" in text and "Choose a code for our e-mails" in text

    @pytest.mark.parametrize("path", ["/account/", "/account/preferences/"])
    def test_strangers_are_asked_to_log_in(self, client: Client, path: str) -> None:
        assert client.get(path)["Location"].startswith("/accounts/login/")


class TestReading:
    def test_help_is_searched_by_the_server(self, client: Client) -> None:
        text = shown(client.get("/help/", {"q": "confirmations"}))
        assert "/help/deposits/#confirmations" in text
        assert "Nothing found" in shown(client.get("/help/", {"q": "xyzzyx"}))
        assert "&lt;script&gt;" in shown(client.get("/help/", {"q": "<script>"}))

    @pytest.mark.parametrize(
        "path", ["/help/orders/", "/legal/terms/", "/legal/privacy/", "/legal/fees/", "/legal/risks/"]
    )
    def test_each_is_there_in_both_languages(self, client: Client, path: str) -> None:
        assert shown(client.get(path)) != shown(client.get(path, **GERMAN))

    @pytest.mark.parametrize("path", ["/help/nothing/", "/legal/nothing/", "/help/..%2f..%2fbase/"])
    def test_no_file_is_named_by_an_address(self, client: Client, path: str) -> None:
        assert client.get(path).status_code == 404

    def test_a_legal_page_says_that_it_is_a_template(self, client: Client) -> None:
        for topic in ("terms", "privacy", "fees", "risks"):
            assert "A template." in shown(client.get(f"/legal/{topic}/"))


class TestErrors:
    def test_an_error_page_speaks_the_readers_language_and_its_reference_is_found(self, client: Client) -> None:
        answer = client.get("/nowhere/", **GERMAN)
        assert answer.status_code == 404 and "Diese Seite gibt es nicht" in shown(answer)
        assert answer["X-Reference"] in shown(answer)
        strict = Client(enforce_csrf_checks=True)
        refused = strict.post("/language/", {"language": "de"})
        found = references.find(refused["X-Reference"].lower())
        assert refused.status_code == 403 and found is not None
        assert (found["status"], found["code"], found["path"]) == (403, "csrf_failed", "/language/")
        assert references.find("0000000000") is None and references.find("*") is None
        staff = User.objects.create_superuser("boss@example.com", "correct horse battery staple")
        log_in_staff(client, staff)
        page = "/admin/site_pages/incident/references/"
        assert "csrf_failed" in shown(client.get(page, {"q": refused["X-Reference"]}))
        assert "Nothing is known" in shown(client.get(page, {"q": "0000000000"}))

    def test_a_fault_is_kept_with_its_kind_and_nothing_of_the_person(self, client: Client, monkeypatch: Any) -> None:
        client.raise_request_exception = False

        def broken(*args: Any, **kwargs: Any) -> Any:
            raise ZeroDivisionError("a secret")

        monkeypatch.setattr("exchange.site.views.reading.articles.topics", broken)
        answer = client.get("/help/")
        assert answer.status_code == 500 and "a secret" not in shown(answer)
        kept = references.find(answer["X-Reference"])
        assert kept is not None and kept["cause"] == "ZeroDivisionError" and "a secret" not in str(kept)

    def test_an_error_page_stands_where_nothing_can_be_kept(self, client: Client, monkeypatch: Any) -> None:
        def down(*args: Any, **kwargs: Any) -> None:
            raise ConnectionError

        monkeypatch.setattr(cache, "set", down)
        assert Client(enforce_csrf_checks=True).post("/language/").status_code == 403

    def test_a_file_closes_pages_and_api_and_leaves_staff_and_monitors(
        self, client: Client, settings: Any, tmp_path: Path
    ) -> None:
        settings.MAINTENANCE_FILE = str(tmp_path / "closed")
        assert client.get("/help/").status_code == 200
        (tmp_path / "closed").touch()
        maintenance._looked.clear()
        page, api = client.get("/help/", **GERMAN), client.get("/api/v1/markets")
        assert page.status_code == 503 and page["Retry-After"] and "Wir arbeiten an der Seite" in shown(page)
        assert api.status_code == 503 and api.json()["error"]["code"] == "maintenance"
        assert client.get("/_allauth/app/v1/config").status_code == 503
        assert client.get("/livez").status_code == 200 and client.get("/admin/login/").status_code != 503


class TestIncidents:
    def opened(self, **changes: Any) -> int:
        now = timezone.now()
        return incidents.open(
            **{
                "part": "deposits",
                "words": {"en": "Bitcoin deposits are late", "de": "Bitcoin-Einzahlungen verspätet"},
                "news": {"en": "A node is behind."},
                "started_at": now - timedelta(minutes=5),
                "actor_id": 1,
                "now": now,
                **changes,
            }
        )

    def test_what_goes_on_stands_on_the_status_page_in_the_readers_language(self, client: Client) -> None:
        number = self.opened()
        assert "Bitcoin deposits are late" in shown(client.get("/status/"))
        german = shown(client.get("/status/", **GERMAN))
        assert "Bitcoin-Einzahlungen verspätet" in german and "A node is behind." in german
        incidents.tell(incident_id=number, state="over", news={"en": "It caught up."}, actor_id=1, now=timezone.now())
        assert desk.going_on() == [] and [each.id for each in desk.recent(now=timezone.now())] == [number]
        assert "It caught up." in shown(client.get("/status/incidents/"))

    def test_older_ones_come_by_the_page(self, client: Client) -> None:
        for _ in range(desk.PAGE + 1):
            self.opened()
        page = desk.history(before=None)
        assert len(page.incidents) == desk.PAGE and page.before is not None
        assert len(desk.history(before=page.before).incidents) == 1
        assert client.get(f"/status/incidents/?before={page.before}").status_code == 200

    def test_english_is_needed_and_an_end_is_an_end(self) -> None:
        with pytest.raises(incidents.IncidentInvalid):
            self.opened(words={"de": "Nur Deutsch"})
        number = self.opened()
        incidents.tell(incident_id=number, state="over", news={"en": "Done."}, actor_id=1, now=timezone.now())
        with pytest.raises(incidents.IncidentOver):
            incidents.tell(incident_id=number, state="found", news={"en": "?"}, actor_id=1, now=timezone.now())

    def test_news_that_was_read_is_not_rewritten(self) -> None:
        self.opened()
        with pytest.raises(DatabaseError), transaction.atomic():
            IncidentNews.objects.update(words={"en": "It never happened."})
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM site_pages_incident_news")

    def test_staff_open_tell_and_end_one_in_the_back_office(self, client: Client) -> None:
        staff = User.objects.create_superuser("boss@example.com", "correct horse battery staple")
        log_in_staff(client, staff)
        since = timezone.now() - timedelta(minutes=3)
        given = {
            "part": "trading", "started_at_0": f"{since:%Y-%m-%d}", "started_at_1": f"{since:%H:%M:%S}",
            "headline_en": "Trading is slow", "headline_de": "Handel ist langsam", "news_en": "We look.", "news_de": "",
        }  # fmt: skip
        assert client.post("/admin/site_pages/incident/add/", given).status_code == 302
        made = Incident.objects.get()
        assert made.words == {"en": "Trading is slow", "de": "Handel ist langsam"}
        change = f"/admin/site_pages/incident/{made.pk}/change/"
        assert "We look." in shown(client.get(change))
        assert client.post(change, {"state": "over", "news_en": "Quick again.", "news_de": ""}).status_code == 302
        assert Incident.objects.get().ended_at is not None
        again = client.post(change, {"state": "over", "news_en": "Once more.", "news_de": ""})
        assert again.status_code == 200 and IncidentNews.objects.count() == 2
        deeds = Record.objects.filter(subject=f"incident:{made.pk}").order_by("id")
        assert list(deeds.values_list("action", "actor_id")) == [
            ("incident.open", staff.pk),
            ("incident.tell", staff.pk),
        ]
        assert client.get("/admin/site_pages/incident/").status_code == 200
        assert client.post(f"/admin/site_pages/incident/{made.pk}/delete/", {"post": "yes"}).status_code == 403
