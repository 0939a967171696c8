"""Controls of who comes in through others, of what tells who exists, and of who locks whom out."""

from __future__ import annotations

from typing import Any

from tests.controls import Control

OTHERS = "tests/integration/accounts/test_log_in_through_others.py::"
LINKS = "tests/integration/accounts/test_linked_accounts.py::"
LOCKS = "tests/integration/accounts/test_lock_out.py::"
TOKENS = "tests/integration/accounts/test_id_tokens.py::"
SIGNING = "tests/integration/accounts/test_signing_up_tells_nobody.py::"
APPS = "tests/integration/accounts/test_headless.py::"
NOTHING, YES = "tests.controls.off:nothing", "tests.controls.off:yes"
PROVIDERS = "exchange.accounts.providers"


def unsigned(token: Any, *, nonce: str | None, audience: str, **named: Any) -> dict[str, Any]:
    """In place of judging an id_token: what allauth does with one from the token endpoint, and no nonce."""
    import jwt
    from allauth.socialaccount.providers.oauth2.client import OAuth2Error

    try:
        return dict(jwt.decode(token, audience=audience, options={"verify_signature": False, "verify_exp": True}))
    except jwt.PyJWTError as error:
        raise OAuth2Error from error


def from_address_bar(self: Any, request: Any, action: str) -> dict[str, str]:
    """In place of our settings: allauth's own way."""
    from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider

    return OAuth2Provider.get_auth_params_from_request(self, request, action)


def by_address(self: Any, sociallogin: Any) -> Any:
    """In place of nobody: the customer who has the address."""
    from exchange.accounts.models import User

    for address in sociallogin.email_addresses:
        found = User.objects.filter(email=address.email.lower()).first()
        if found is not None:
            return found, address.email
    return None


def behind_the_proxy(request: Any) -> str:
    """In place of the peer past our proxies: whoever connects."""
    return str(request.META["REMOTE_ADDR"])


def any_header(request: Any) -> str:
    """In place of what our own proxies wrote: whatever anybody wrote."""
    return str(request.META.get("HTTP_X_FORWARDED_FOR") or request.META["REMOTE_ADDR"])


def every_account(user_id: int) -> Any:
    """In place of the linked accounts that still let in: all of them."""
    from allauth.socialaccount.models import SocialAccount

    return list(SocialAccount.objects.filter(user_id=user_id))


def following() -> Any:
    """In place of a session that follows nothing."""
    import requests

    return requests.Session()


def without_words(response: Any) -> Any:
    """In place of words for a program: what came."""
    return response


CONTROLS = [
    Control(
        "an id_token's signature and nonce are checked",
        ((f"{PROVIDERS}.id_tokens:verify", "tests.controls.oauth:unsigned"),),
        TOKENS + "TestIdTokens::test_one_that_is_not_signed_by_the_provider_is_refused[forgery2-google]",
        ("V9.1.1", "V9.1.3", "V10.5.1"),
    ),
    Control(
        "an id_token that an app brings is taken once",
        ((f"{PROVIDERS}.id_tokens:once", NOTHING),),
        APPS + "TestProviderTokens::test_a_token_is_taken_once[google]",
        ("V10.5.1",),
    ),
    Control(
        "the nonce of an app is asked for",
        ((f"{PROVIDERS}.id_tokens:nonce_of_app", NOTHING),),
        APPS + "TestProviderTokens::test_a_nonce_of_the_app_is_asked_for_as_it_is_or_by_its_digest[google]",
        ("V10.5.1",),
    ),
    Control(
        "no account is joined because of an address",
        ((f"{PROVIDERS}.adapter:SocialAccountAdapter.authenticate_by_email", "tests.controls.oauth:by_address"),),
        OTHERS + "TestNoTakeOver::test_a_customer_s_address_at_a_provider_opens_nothing[facebook-True]",
        ("V10.5.2",),
    ),
    Control(
        "the address bar cannot change what a provider is asked",
        (
            (
                f"{PROVIDERS}.redirects:StrictProvider.get_auth_params_from_request",
                "tests.controls.oauth:from_address_bar",
            ),
        ),
        OTHERS + "TestTheAddressBar::test_a_link_cannot_change_what_is_asked_of_the_provider[google-query0]",
        ("V10.2.1",),
    ),
    Control(
        "a call to a provider follows no redirect",
        ((f"{PROVIDERS}.adapter:NoRedirects", "tests.controls.oauth:following"),),
        OTHERS + "test_a_call_to_a_provider_is_not_sent_on_elsewhere",
        ("V1.3.6", "V15.3.2"),
    ),
    Control(
        "whoever links an account shows again that it is he",
        ((f"{PROVIDERS}.linking:check", NOTHING),),
        LINKS + "TestWhoMayLink::test_a_session_alone_is_not_enough",
        ("V7.5.1",),
    ),
    Control(
        "a confirmation through a provider is the account's own",
        ((f"{PROVIDERS}.linking:_confirmed", YES),),
        LINKS + "TestWithoutAPassword::test_another_person_s_account_there_confirms_nothing",
        ("V7.5.1",),
    ),
    Control(
        "an account of a provider that is off is no way in",
        ((f"{PROVIDERS}.linking:usable", "tests.controls.oauth:every_account"),),
        LINKS + "TestUnlinking::test_an_account_of_a_provider_that_is_switched_off_is_no_way_in",
    ),
    Control(
        "a sign-up with a known address does a newcomer's work",
        (("exchange.accounts.services.customers:rehearse", NOTHING),),
        SIGNING + "TestTheSameWork::test_signing_up",
        ("V6.3.8",),
    ),
    Control(
        "a sign-up that was overtaken is answered like a known address",
        (("exchange.accounts.sign_ups:overtaken", NOTHING),),
        SIGNING + "TestAtOnce::test_two_sign_ups_with_one_address_make_one_customer_and_answer_the_same",
        ("V6.3.8", "V15.4.2"),
    ),
    Control(
        "a session alone gives no address and no first password to who logs in at a provider",
        (("exchange.accounts.guarding:_same_person", NOTHING),),
        LINKS + "TestWithoutAPassword::test_a_session_alone_gives_the_account_no_other_address_and_no_password",
        ("V7.5.1",),
    ),
    Control(
        "nor does an app's token",
        (("exchange.accounts.guarding:_same_person", NOTHING),),
        APPS + "TestLinking::test_a_stolen_token_of_who_has_no_password_gives_no_address_and_no_password",
        ("V7.5.1",),
    ),
    Control(
        "a guesser is locked out",
        (("settings:AXES_ENABLED", "False"),),
        LOCKS + "TestLockOut::test_who_guesses_is_locked_out_and_the_owner_is_not",
        ("V6.3.1",),
    ),
    Control(
        "nobody is locked out by another's guesses",
        (("settings:AXES_LOCKOUT_PARAMETERS", "['username']"),),
        LOCKS + "TestLockOut::test_who_guesses_is_locked_out_and_the_owner_is_not",
        ("V6.1.1", "V6.3.1"),
    ),
    Control(
        "peers behind our proxies are told apart",
        (("exchange.accounts.watching:attempted_from", "tests.controls.oauth:behind_the_proxy"),),
        LOCKS + "TestLockOut::test_behind_our_own_proxy_the_peers_are_told_apart",
        ("V6.3.1",),
    ),
    Control(
        "what anybody can write into a header is no peer",
        (("exchange.accounts.watching:attempted_from", "tests.controls.oauth:any_header"),),
        LOCKS + "TestLockOut::test_what_anybody_can_write_into_a_header_is_no_peer",
        ("V6.3.1",),
    ),
    Control(
        "an app's errors have words",
        (("exchange.site.headless:_readable", "tests.controls.oauth:without_words"),),
        APPS + "TestErrorsAndLimits::test_every_error_is_json_with_words[get-no/such/address-options0-404]",
        ("V16.5.1",),
    ),
    Control(
        "apps are held to the limit by address",
        (("exchange.site.headless:limits.spend", NOTHING), ("exchange.site.headless:limits.aspend", NOTHING)),
        APPS + "TestErrorsAndLimits::test_the_limit_by_address_holds_here_and_counts_with_the_api_s",
        ("V2.4.1",),
    ),
    Control(
        "a link that is older than its address is gone after a reset",
        ((f"{PROVIDERS}.news:linked_by_nobody_knows_whom", "tests.controls.off:no"),),
        OTHERS + "TestNoTakeOver::test_a_stranger_s_link_goes_when_the_owner_of_the_address_takes_the_account_over"
        "[its owner clicked the mail's link]",
        ("V6.4.3",),
    ),
]
