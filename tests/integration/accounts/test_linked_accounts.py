"""Linking a provider's account and taking the link away: only after showing again that it is you, never the last way in."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts import selectors
from exchange.accounts.admin_ways_in import WAYS_IN
from exchange.accounts.models import User
from exchange.accounts.services import customers, staff
from exchange.audit.models import Record
from exchange.outbox.models import Event
from tests import factors
from tests.providers import ways

PASSWORD = "correct horse battery staple"
PAGE = "/accounts/3rdparty/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def google(settings, monkeypatch):
    stand_in = ways.KINDS["google"](person=dict(ways.PEOPLE["google"]))
    ways.switch_on(stand_in, settings, monkeypatch)
    yield stand_in
    stand_in.close()


@pytest.fixture
def x(settings, monkeypatch):
    stand_in = ways.KINDS["x"](person=dict(ways.PEOPLE["x"]))
    ways.switch_on(stand_in, settings, monkeypatch)
    yield stand_in
    stand_in.close()


def customer(name="alice"):
    return customers.open(email=f"{name}@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


def links():
    return list(SocialAccount.objects.order_by("id").values_list("user_id", "provider", "uid"))


def connect(client, stand_in):
    return ways.log_in(client, stand_in, process="connect")


def press(client, stand_in, **extra):
    return client.post(reverse(f"{ways.IDS[stand_in.name]}_login") + "?process=connect", **extra)


def unlink(client, **extra):
    return client.post(PAGE, {"account": SocialAccount.objects.order_by("id")[0].id}, **extra)


class TestLinking:
    def test_a_customer_links_an_account_and_logs_in_through_it(self, google):
        alice = customer()
        client = ways.as_customer(alice, confirmed=PASSWORD)
        assert connect(client, google).url == PAGE
        assert links() == [(alice, "google", "1001")]
        page = client.get(PAGE).content
        assert b"Bob.Builder@gmail.com" in page and b"Disconnect" in page
        fresh = Client()
        ways.log_in(fresh, google)
        assert ways.user_of(fresh) == alice

    def test_it_pauses_withdrawals_and_is_told_and_written_down(self, google):
        alice = customer()
        connect(ways.as_customer(alice, confirmed=PASSWORD), google)
        assert selectors.paused_until(alice, timezone.now()) is not None
        assert Record.objects.get(action="credential.change").after == {
            "what": "linked_account",
            "detail": "Google linked",
        }
        assert Event.objects.filter(topic="accounts.credential_changed", key=f"user:{alice}").count() == 1

    def test_it_takes_no_address_over_from_the_provider(self, google):
        alice = customer()
        connect(ways.as_customer(alice, confirmed=PASSWORD), google)
        assert User.objects.get().email == "alice@example.org"
        assert list(User.objects.get().emailaddress_set.values_list("email", flat=True)) == ["alice@example.org"]

    def test_linking_again_changes_nothing(self, google):
        alice = customer()
        client = ways.as_customer(alice, confirmed=PASSWORD)
        connect(client, google)
        connect(client, google)
        assert links() == [(alice, "google", "1001")]
        assert Record.objects.filter(action="credential.change").count() == 1

    def test_another_customer_s_link_stays_his(self, google):
        alice, bob = customer(), customer("bob")
        connect(ways.as_customer(alice, confirmed=PASSWORD), google)
        client = ways.as_customer(bob, confirmed=PASSWORD)
        assert connect(client, google).url == PAGE
        assert links() == [(alice, "google", "1001")] and ways.user_of(client) == bob
        assert b"connected to another customer" in client.get(PAGE).content


class TestWhoMayLink:
    def test_a_session_alone_is_not_enough(self, google):
        """Stolen, or left open: the thief would have a way in of his own."""
        client = ways.as_customer(customer())
        answer = press(client, google)
        assert answer.status_code == 302 and urlsplit(answer.url).path == reverse("account_reauthenticate")
        assert google.asked == [] and links() == []

    def test_nothing_is_remembered_for_the_owner_to_confirm(self, google):
        """A thief presses the button and leaves; the owner confirms something else later: nothing of the thief's happens."""
        client = ways.as_customer(customer())
        away = press(client, google)
        answer = client.post(away.url, {"password": PASSWORD})
        assert answer.url == PAGE

    def test_with_a_second_factor_the_password_is_not_enough(self, google):
        alice = customer()
        factors.give_factor(alice)
        client = Client()
        client.force_login(User.objects.get(id=alice), backend=factors.BACKEND)
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        assert urlsplit(press(client, google).url).path == reverse("mfa_reauthenticate")
        factors.step_up(client, alice, again=False)  # the factor of the log-in is not the one of now
        assert urlsplit(press(client, google).url).path == reverse("mfa_reauthenticate")
        factors.step_up(client, alice)
        assert connect(client, google).url == PAGE and len(links()) == 1

    def test_a_confirmation_that_ran_out_on_the_way_is_asked_for_again(self, google, monkeypatch):
        from allauth.account import app_settings

        client = ways.as_customer(customer(), confirmed=PASSWORD)
        given = google.granted(ways.leave(client, google, process="connect"))
        monkeypatch.setattr(type(app_settings._app_settings), "REAUTHENTICATION_TIMEOUT", 0)
        assert urlsplit(ways.come_back(client, google, given).url).path == reverse("account_reauthenticate")
        assert links() == []

    def test_nobody_who_is_not_logged_in_links_anything(self, google):
        answer = press(Client(), google)
        assert urlsplit(answer.url).path == reverse("account_login") and google.asked == []

    def test_linking_csrf_the_return_of_the_attacker_s_flow_links_nothing(self, google):
        """The attacker's provider account would become a way into the victim's account."""
        attacker = ways.as_customer(customer("mallory"), confirmed=PASSWORD)
        victim = ways.as_customer(customer(), confirmed=PASSWORD)
        given = google.granted(ways.leave(attacker, google, process="connect"))
        assert ways.come_back(victim, google, given).status_code == 401
        assert links() == []

    def test_linking_csrf_a_form_of_another_site_starts_nothing(self, google):
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.get(id=customer()), backend=factors.BACKEND)
        assert press(client, google, headers={"origin": "https://evil.example"}).status_code == 403
        assert client.get(reverse("google_login"), {"process": "connect"}).status_code == 200
        assert google.asked == [] and links() == []

    def test_a_return_links_nothing_to_somebody_who_did_not_ask_for_it(self, google):
        """The state stands in the session, and so does who it was for: a session may change its owner in between."""
        alice, bob = customer(), customer("bob")
        client = ways.as_customer(alice, confirmed=PASSWORD)
        given = google.granted(ways.leave(client, google, process="connect"))
        kept = client.session["socialaccount_states"]
        client.force_login(User.objects.get(id=bob), backend=factors.BACKEND)
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        session = client.session
        session["socialaccount_states"] = kept
        session.save()
        ways.come_back(client, google, given)
        assert links() == []

    def test_a_log_in_flow_does_not_turn_into_a_link(self, google):
        """Begun without a confirmation, returned with one: it is still a log-in, as somebody else."""
        alice = customer()
        client = ways.as_customer(alice)
        ways.log_in(client, google)
        assert ways.user_of(client) != alice
        assert [user_id for user_id, _, _ in links()] == [ways.user_of(client)]


class TestUnlinking:
    def test_a_link_is_taken_away_after_a_confirmation(self, google):
        alice = customer()
        connect(ways.as_customer(alice, confirmed=PASSWORD), google)
        client = ways.as_customer(alice)
        assert urlsplit(unlink(client).url).path == reverse("account_reauthenticate")
        assert len(links()) == 1
        client = ways.as_customer(alice, confirmed=PASSWORD)
        assert unlink(client).url == PAGE
        assert links() == []
        told = [record.after["detail"] for record in Record.objects.filter(action="credential.change").order_by("id")]
        assert told == ["Google linked", "Google unlinked"]
        ways.log_in(fresh := Client(), google)
        assert ways.user_of(fresh) != alice

    def test_the_last_way_in_stays(self, google):
        client = Client()
        ways.log_in(client, google)  # a customer without a password
        ways.log_in(client, google, process="redirect", next=PAGE)
        answer = unlink(client)
        assert answer.status_code == 200 and b"no password" in answer.content
        assert len(links()) == 1

    def test_an_account_of_a_provider_that_is_switched_off_is_no_way_in(self, google, x, settings):
        client = Client()
        ways.log_in(client, google)
        ways.log_in(client, google, process="redirect", next=PAGE)
        connect(client, x)
        assert len(links()) == 2
        settings.SOCIALACCOUNT_PROVIDERS = {
            name: found for name, found in settings.SOCIALACCOUNT_PROVIDERS.items() if name != "twitter_oauth2"
        }
        assert b"Switched off here" in client.get(PAGE).content
        answer = unlink(client)  # Google, the only one that still lets in
        assert answer.status_code == 200 and len(links()) == 2
        other = SocialAccount.objects.get(provider="twitter_oauth2")
        assert client.post(PAGE, {"account": other.id}).url == PAGE
        assert [provider for _, provider, _ in links()] == ["google"]

    def test_nobody_unlinks_another_s(self, google):
        alice, bob = customer(), customer("bob")
        connect(ways.as_customer(alice, confirmed=PASSWORD), google)
        answer = unlink(ways.as_customer(bob, confirmed=PASSWORD))
        assert answer.status_code == 200 and len(links()) == 1


class TestWithoutAPassword:
    """A customer who came through a provider confirms by logging in there once more."""

    def test_the_session_alone_is_not_enough_and_the_provider_is_asked(self, google, x):
        client = Client()
        ways.log_in(client, google)
        away = press(client, x)
        assert urlsplit(away.url).path == reverse("socialaccount_confirm")
        page = client.get(away.url).content.decode()
        (way,) = re.findall(r'<form method="post" action="(/accounts/google/login/[^"]+)"', page)
        leads = client.post(way.replace("&amp;", "&")).url
        assert parse_qs(urlsplit(leads).query)["prompt"] == ["select_account"]
        assert ways.come_back(client, google, google.granted(leads)).url == PAGE
        connect(client, x)
        assert [provider for _, provider, _ in links()] == ["google", "twitter_oauth2"]

    def test_another_person_s_account_there_confirms_nothing(self, google, x):
        client = Client()
        ways.log_in(client, google)
        owner = ways.user_of(client)
        google.person |= {"sub": "6666", "email": "thief@gmail.com"}
        ways.log_in(client, google, process="redirect", next=PAGE)
        assert ways.user_of(client) == owner
        assert urlsplit(press(client, x).url).path == reverse("socialaccount_confirm")
        assert len(links()) == 1

    def test_a_confirmation_that_was_begun_before_the_log_in_counts_for_nothing(self, google, x):
        client = Client()
        ways.log_in(client, google)
        visitor = Client()
        given = google.granted(ways.leave(visitor, google, process="redirect", next=PAGE))
        ways.come_back(visitor, google, given)
        assert ways.user_of(visitor) is None  # it logs nobody in either
        assert urlsplit(press(client, x).url).path == reverse("socialaccount_confirm")

    def test_a_session_alone_gives_the_account_no_other_address_and_no_password(self, google):
        """Both would be the thief's own, and the first factor after them."""
        client = Client()
        ways.log_in(client, google)
        stolen = ways.long_after_its_log_in(client)
        owner, address = ways.user_of(stolen), User.objects.get().email
        password = {"password1": PASSWORD, "password2": PASSWORD}
        for page, data in (
            ("account_email", {"email": "thief@example.org", "action_add": ""}),
            ("account_set_password", password),
        ):
            answer = stolen.post(reverse(page), data)
            assert urlsplit(answer.url).path == reverse("socialaccount_confirm")
            assert parse_qs(urlsplit(answer.url).query)["next"] == [reverse(page)]
        assert not EmailAddress.objects.exclude(email=address).exists()
        assert not User.objects.get().has_usable_password() and mail.outbox == []
        ways.log_in(stolen, google, process="redirect", next=reverse("account_set_password"))
        assert stolen.post(reverse("account_set_password"), password).status_code == 302
        assert User.objects.get(id=owner).check_password(PASSWORD)

    def test_with_a_second_factor_a_first_password_asks_for_it(self, google):
        client = Client()
        ways.log_in(client, google)
        owner = ways.user_of(client)
        factors.give_factor(owner)
        stolen = Client()
        stolen.force_login(User.objects.get(id=owner), backend=factors.BACKEND)
        password = {"password1": PASSWORD, "password2": PASSWORD}
        answer = stolen.post(reverse("account_set_password"), password)
        assert urlsplit(answer.url).path == reverse("mfa_reauthenticate")
        assert not User.objects.get().has_usable_password()

    def test_a_link_out_of_the_mailbox_sets_a_first_password_whoever_is_logged_in(self, google):
        client = Client()
        ways.log_in(client, google)
        stale = ways.long_after_its_log_in(client)
        stale.post(reverse("account_reset_password"), {"email": User.objects.get().email})
        link = re.search(r"https?://[^/\s]+(/accounts/password/reset/key/\S+/)", mail.outbox[-1].body)[1]
        form = stale.get(link, follow=True)
        stale.post(form.redirect_chain[-1][0], {"password1": PASSWORD, "password2": PASSWORD})
        assert User.objects.get().check_password(PASSWORD)


def test_every_page_of_it_is_in_the_house_s_words(google):
    client = ways.as_customer(customer(), confirmed=PASSWORD)
    assert b"Connect Google" in client.get(PAGE).content
    connect(client, google)
    assert b"Connected. Withdrawals pause for a day." in client.get(PAGE).content
    assert mail.outbox == []  # the news goes by the outbox, with everything that a changed credential brings


def test_who_forgot_how_he_logs_in_is_told_by_mail(google):
    """He tries to sign up with his address; the page tells nobody, the mail tells him."""
    ways.log_in(Client(), google)
    Client().post(reverse("account_signup"), {"email": "bob.builder@gmail.com", "password1": PASSWORD})
    assert mail.outbox[-1].to == ["bob.builder@gmail.com"]
    assert "You log in to it through Google." in mail.outbox[-1].body


def test_no_member_of_staff_finds_a_form_for_somebody_s_ways_in(client):
    """Not even a superuser: a linked account or a confirmed address would be a key to a customer's account."""
    boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
    factors.log_in_staff(client, boss)
    assert client.get("/admin/accounts/user/").status_code == 200
    for model in WAYS_IN:
        where = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(where).status_code == 404 and client.post(f"{where}add/", {}).status_code == 404
