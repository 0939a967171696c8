"""Controls of second factors: what they are asked for, who is let in by them, and what guards them."""

from __future__ import annotations

from typing import Any

from tests.controls import Control

FACTORS = "tests/integration/accounts/test_second_factors.py::"
GUARDS = "tests/integration/accounts/test_factor_guards.py::"
STEPPING = "tests/integration/accounts/test_step_up.py::"
STAFF = "tests/integration/accounts/test_staff_site.py::"
NOTHING, YES = "tests.controls.off:nothing", "tests.controls.off:yes"
HERE = "tests.controls.factors:"


def by_password(self: Any, user: Any, password: str) -> bool:
    """In place of the refusal: the password confirms."""
    from allauth.account.adapter import DefaultAccountAdapter

    return bool(DefaultAccountAdapter.reauthenticate(self, user, password))


def any_step(found: list[Any], **kwargs: Any) -> Any:
    """In place of TOTP and passkey: whatever was shown."""
    return found[-1] if found else None


def staff_alone(self: Any, request: Any) -> bool:
    """In place of django-otp's rule: staff."""
    return bool(request.user.is_active and request.user.is_staff)


def no_wait(self: Any) -> int:
    """In place of a second, doubled each time."""
    return 0


def each_password_anew(user: Any) -> str:
    """In place of one count whatever the password: one for each."""
    from exchange.accounts.second_factors import guard

    return f"{guard._far(user)}:ever"


def one_for_all(user_id: int) -> str:
    """In place of a context of the user's own."""
    return "mfa"


def mindful(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    """In place of forgetting what was asked for before: allauth carries it out."""
    from exchange.accounts.second_factors import pages

    return super(pages.Forgetful, self).dispatch(request, *args, **kwargs)


def log_in_counts(found: list[Any], **kwargs: Any) -> bool:
    """In place of a confirmation: the log-in's own step."""
    return bool(found)


CONTROLS = [
    Control(
        name="coins leave by the API after a second factor was shown again",
        off=(("exchange.accounts.second_factors.stepping:check", NOTHING),),
        test=STEPPING + "TestApi::test_an_app_logs_in_confirms_and_sends_the_same_request_again",
        asvs=("V7.5.3", "V6.3.3"),
    ),
    Control(
        name="the log-in is no confirmation",
        off=(("exchange.accounts.second_factors.records:fresh", HERE + "log_in_counts"),),
        test=STEPPING + "TestPage::test_the_log_in_itself_is_none",
        asvs=("V7.5.3",),
    ),
    Control(
        name="a confirmation holds for five minutes",
        off=(("settings:STEP_UP_SECONDS", "1000000000"),),
        test=STEPPING + "TestPage::test_it_holds_for_five_minutes[320-False]",
        asvs=("V7.5.3",),
    ),
    Control(
        name="a password does not confirm where there is a factor",
        off=(("exchange.accounts.second_factors.adapter:NeverByPasswordAlone.reauthenticate", HERE + "by_password"),),
        test=STEPPING + "TestApi::test_an_app_logs_in_confirms_and_sends_the_same_request_again",
        asvs=("V7.5.1", "V6.3.4"),
    ),
    Control(
        name="factors change after a confirmation with a factor",
        off=(("exchange.accounts.second_factors.changes:allowed", NOTHING),),
        test=FACTORS + "TestConfirming::test_the_password_is_no_confirmation",
        asvs=("V7.5.1",),
    ),
    Control(
        name="what was asked for before a confirmation is not carried out by it",
        off=(("exchange.accounts.second_factors.pages:Forgetful.dispatch", HERE + "mindful"),),
        test=FACTORS + "TestConfirming::test_what_a_thief_left_in_the_session_is_not_carried_out",
        asvs=("V2.3.1", "V7.5.1"),
    ),
    Control(
        name="a code is taken once",
        off=(("exchange.accounts.second_factors.codes:claim", YES),),
        test=FACTORS + "TestLogIn::test_a_code_that_set_the_app_up_lets_nobody_in",
        asvs=("V6.5.1",),
    ),
    Control(
        name="codes are not guessed at the log-in",
        off=(("exchange.accounts.second_factors.guard:admit_log_in", YES),),
        test=GUARDS + "TestGuessing::test_ten_wrong_codes_stop_that_network_and_nobody_else",
        asvs=("V6.3.1", "V6.6.3"),
    ),
    Control(
        name="new passwords bring no new guesses at a code for ever",
        off=(("exchange.accounts.second_factors.guard:_ever", HERE + "each_password_anew"),),
        test=GUARDS + "TestGuessing::test_new_passwords_from_the_mailbox_bring_no_new_guesses_for_ever",
        asvs=("V6.3.1", "V6.6.3"),
    ),
    Control(
        name="a session that guesses waits",
        off=(("exchange.accounts.models.second_factors:FactorDevice.get_throttle_factor", HERE + "no_wait"),),
        test=GUARDS + "TestGuessing::test_a_session_that_keeps_guessing_waits_longer_each_time",
        asvs=("V6.3.1", "V6.6.3"),
    ),
    Control(
        name="a session that keeps guessing ends",
        off=(("exchange.accounts.second_factors.guard:wrong_in_session", NOTHING),),
        test=GUARDS + "TestGuessing::test_a_session_that_is_wrong_ten_times_in_a_row_is_ended",
        asvs=("V6.3.1",),
    ),
    Control(
        name="sessions from before the first factor end",
        off=(("exchange.accounts.second_factors.watching:_end_other_sessions", NOTHING),),
        test=FACTORS + "TestSetUp::test_sessions_from_before_the_first_factor_end",
        asvs=("V7.4.3",),
    ),
    Control(
        name="staff keep one factor at least",
        off=(("exchange.accounts.second_factors.adapter:may_remove", YES),),
        test=FACTORS + "TestSetUp::test_staff_do_not_remove_their_last_one",
        asvs=("V6.3.3",),
    ),
    Control(
        name="a factor's secret opens for its own user",
        off=(("exchange.accounts.second_factors.sealing:_context", HERE + "one_for_all"),),
        test=GUARDS + "TestSealing::test_a_secret_is_sealed_and_opens_for_its_user_alone",
        asvs=("V13.3.1", "V14.2.4"),
    ),
    Control(
        name="a row with somebody else's secret is refused",
        off=(("exchange.accounts.second_factors.sealing:_belongs", YES),),
        test=GUARDS + "TestSealing::test_a_row_with_somebody_else_s_secret_is_refused_as_it_is_read",
        asvs=("V14.2.4",),
    ),
    Control(
        name="the staff pages open for a verified session alone",
        off=(("django_otp.admin:OTPAdminSite.has_permission", HERE + "staff_alone"),),
        test=STAFF + "test_a_password_alone_opens_no_staff_page",
        asvs=("V6.3.3", "V8.4.2"),
    ),
    Control(
        name="a recovery code does not verify staff",
        off=(("exchange.accounts.second_factors.records:verified", HERE + "any_step"),),
        test=STAFF + "test_a_recovery_code_does_not",
        asvs=("V6.3.3",),
    ),
    Control(
        name="staff change something after a second factor was shown again",
        off=(("exchange.accounts.staff_deeds:StaffDeeds.process_view", NOTHING),),
        test=STAFF + "TestDeeds::test_an_old_confirmation_changes_nothing_and_nothing_is_carried_out_later",
        asvs=("V7.5.3", "V6.3.3"),
    ),
    Control(
        name="a factor opens the staff pages for half a day",
        off=(("settings:STAFF_SESSION_HOURS", "1000000"),),
        test=STAFF + "test_a_log_in_opens_them_for_half_a_day",
        asvs=("V6.3.3",),
    ),
    Control(
        name="a reset is by two of staff, about neither of them",
        off=(("exchange.accounts.second_factors.resets:_may", NOTHING),),
        test=STAFF + "TestResets::test_nobody_does_both_or_resets_their_own",
        asvs=("V2.3.5", "V6.4.4"),
    ),
]
