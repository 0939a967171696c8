"""Log-in through Google, Facebook, X and Apple in a real browser: Google's flow against a certified OpenID provider, the others'
against servers that speak their documented endpoints. The site's processes are told of them by the environment alone."""

import os
import re

import pytest
from allauth.socialaccount.models import SocialAccount
from playwright.sync_api import expect

from exchange.accounts.models import User
from tests.journeys.conftest import PASSWORD
from tests.providers import openid, stand_ins

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GOOGLE_PERSON = {"email": "bob.builder@gmail.com", "email_verified": True, "name": "Bob Builder"}


@pytest.fixture(scope="module", autouse=True)
def providers(tmp_path_factory):
    """Stand before the exchange starts, for it reads where they are when it does."""
    google = openid.OpenIdProvider(tmp_path_factory.mktemp("openid") / "log")
    apple = stand_ins.Apple(
        person={"sub": "001234.abc.0001", "email": "zq7@privaterelay.appleid.com", "email_verified": "true"}
    )
    # By a name of its own, so that Apple's post comes from another site, and our cookies stay at home.
    apple.url = apple.url.replace("127.0.0.1", "localhost")
    found = {
        "google": google,
        "facebook": stand_ins.Facebook(person={"id": "10158", "name": "Bob", "email": "facebook-bob@example.com"}),
        "x": stand_ins.X(person={"id": "2244994945", "name": "Bob", "username": "bob"}),
        "apple": apple,
    }
    kept = dict(os.environ)
    for provider in found.values():
        os.environ.update(provider.environment())
    yield found
    os.environ.clear()
    os.environ.update(kept)
    for provider in found.values():
        provider.close()


def press(page, words):
    page.get_by_role("button", name=words, exact=True).click()


def wallet(page):
    expect(page.get_by_role("heading", name="Wallet")).to_be_visible()


def through(visitor, name):
    """To the provider by its button, agreed there, and back."""
    visitor.goto("/accounts/login/")
    press(visitor.page, f"Continue with {name}")
    role = "button" if name == "Apple" else "link"
    visitor.page.get_by_role(role, name="Continue as Bob").click()


def test_google(visitor, exchange, providers):
    """The provider's own pages: its log-in, its consent, its signed answer."""
    provider = providers["google"]
    provider.begin(redirect_uri=f"{exchange.url}/accounts/google/login/callback/", person=GOOGLE_PERSON)
    for returning in (False, True):
        window = visitor()
        page = window.page
        # The provider's page asks another site for its font.
        window.context.route(re.compile("^https://"), lambda route: route.fulfill(content_type="text/css", body=""))
        window.goto("/accounts/login/?next=/wallet/history/" if returning else "/accounts/signup/")
        press(page, "Continue with Google")
        expect(page).to_have_url(re.compile(re.escape(provider.url)))
        page.get_by_placeholder("Enter any login").fill("google-user-1001")
        page.get_by_placeholder("and password").fill("anything")
        press(page, "Sign-in")
        press(page, "Continue")
        if returning:
            expect(page).to_have_url(f"{exchange.url}/wallet/history/")
        else:
            wallet(page)
    user = User.objects.get(email="bob.builder@gmail.com")
    assert (user.display_name, user.has_usable_password()) == ("Bob Builder", False)
    assert list(SocialAccount.objects.filter(user=user).values_list("uid", flat=True)) == ["google-user-1001"]
    assert "refused" not in provider.log.read_text()


def test_facebook(visitor, exchange, providers):
    """Facebook does not vouch for the address, so it is confirmed by e-mail first."""
    window = visitor()
    through(window, "Facebook")
    expect(window.page.get_by_role("heading", name="Look in your inbox")).to_be_visible()
    window.page.goto(exchange.link_in_mail("facebook-bob@example.com"))
    expect(window.page.get_by_text("logs in through Facebook")).to_be_visible()
    press(window.page, "Yes, confirm")
    through(window, "Facebook")
    wallet(window.page)
    assert providers["facebook"].refused == []


def test_x(visitor, exchange, providers):
    """X gives no address: the customer names one and confirms it."""
    window = visitor()
    through(window, "X")
    window.page.get_by_label("Email").fill("x-bob@example.com")
    press(window.page, "Create account")
    expect(window.page.get_by_role("heading", name="Look in your inbox")).to_be_visible()
    window.page.goto(exchange.link_in_mail("x-bob@example.com"))
    press(window.page, "Yes, confirm")
    through(window, "X")
    wallet(window.page)
    assert providers["x"].refused == [] and providers["x"].asked[0]["code_challenge_method"] == "S256"


def test_apple_and_linking_it_later(visitor, exchange, providers):
    """Apple posts its answer from its own site. Then somebody who has a password links it, and is asked for that first."""
    window = visitor()
    through(window, "Apple")
    wallet(window.page)
    apple = providers["apple"]
    assert apple.refused == [] and "nonce" in apple.asked[0]

    exchange.customer("linda")
    apple.person = {**apple.person, "sub": "001234.abc.0002", "email": "other@privaterelay.appleid.com"}
    window = visitor()
    window.log_in("linda")
    window.goto("/accounts/3rdparty/")
    press(window.page, "Connect Apple")
    expect(window.page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    window.page.get_by_label("Password").fill(PASSWORD)
    press(window.page, "Continue")
    press(window.page, "Connect Apple")
    press(window.page, "Continue as Bob")
    expect(window.page.get_by_text("other@privaterelay.appleid.com")).to_be_visible()
    linked = SocialAccount.objects.get(uid="001234.abc.0002")
    assert linked.user.email == "linda@example.com"
