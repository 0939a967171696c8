"""Controls of identity checks: who decides, what is taken in, what goes out, and what is gone for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.controls import Control

PEOPLE = "tests/integration/kyc/test_applications.py::"
PAGES = "tests/integration/kyc/test_reviewing_pages.py::"
RAISING = "tests/integration/kyc/test_raising.py::"
WALK = "tests/integration/kyc/test_screening_walk.py::"
GONE = "tests/integration/kyc/test_erasing.py::"
SUMSUB = "tests/integration/kyc/test_sumsub.py::"
PICTURES = "tests/unit/test_identity_images.py::"
API = "tests/integration/api/test_api_verification.py::"
NOTHING, YES = "tests.controls.off:nothing", "tests.controls.off:yes"
ENDLESS = 10**15
NO_HEADERS: dict[str, str] = {}


def uncleaned(data: bytes) -> Any:
    """In place of drawing anew: the bytes as they came."""
    from kyc import images

    return images.Picture(data=data, width=640, height=480)


def anybodys(user_id: int, application_id: UUID) -> Any:
    """In place of the customer's own application: anybody's."""
    from kyc.models import Application

    return Application.objects.select_for_update(of=("self",)).select_related("level").get(id=application_id)


def no_key(**named: Any) -> int:
    """In place of destroying the key."""
    return 0


def newest_alone(user_id: int) -> Any:
    """In place of all that a customer was approved as and says now: what he handed in last."""
    from kyc import sealing
    from kyc.application_selectors import person
    from kyc.models import Application

    row = Application.objects.filter(user_id=user_id, submitted_at__isnull=False).order_by("-submitted_at").first()
    return [person(row, sealing.words(row))] if row else []


def believed(*args: Any, **named: Any) -> Any:
    """In place of asking the provider: the webhook was right."""
    from kyc.providers.protocol import Answer

    return Answer("approved")


CONTROLS = [
    Control(
        name="nobody decides about himself",
        off=(("kyc.services.reviewing:_refuse_own", NOTHING),),
        test=PEOPLE + "test_nobody_decides_about_himself",
        asvs=("V2.3.5", "V8.2.2"),
    ),
    Control(
        name="two people approve the higher levels",
        off=(("settings:KYC_FOUR_EYES_FROM", "99"),),
        test=PEOPLE + "test_four_eyes_from_enhanced_on",
        asvs=("V2.3.5",),
    ),
    Control(
        name="a high level by hand takes two people",
        off=(("settings:KYC_FOUR_EYES_FROM", "99"),),
        test=RAISING + "test_the_back_office_gives_a_high_level_by_two_people_alone",
        asvs=("V2.3.5",),
    ),
    Control(
        name="nobody confirms what he proposed",
        off=(("kyc.services.raising:_refuse_proposer", NOTHING),),
        test=RAISING + "test_a_high_level_takes_two_people",
        asvs=("V2.3.5",),
    ),
    Control(
        name="nobody sets his own level",
        off=(("kyc.services.raising:_refuse_own", NOTHING),),
        test=RAISING + "test_nobody_sets_his_own_level[2]",
        asvs=("V2.3.5", "V8.2.2"),
    ),
    Control(
        name="a decision is about what its reviewer saw",
        off=(("kyc.services.reviewing:_check_seen", NOTHING),),
        test=PEOPLE + "test_a_review_of_what_has_changed_since_is_refused",
        asvs=("V2.3.1", "V15.4.2"),
    ),
    Control(
        name="only what was asked for again can be changed",
        off=(("kyc.services.applications:_check_asked", NOTHING),),
        test=PEOPLE + "test_only_what_was_asked_for_again_can_be_sent_and_has_to_be",
        asvs=("V2.3.1",),
    ),
    Control(
        name="an application is its customer's alone",
        off=(("kyc.services.applications:editable", "tests.controls.kyc:anybodys"),),
        test=PEOPLE + "test_another_customers_application_is_not_there",
        asvs=("V8.2.2",),
    ),
    Control(
        name="who is too young is not served",
        off=(("settings:KYC_AGE_MIN", "0"),),
        test=PEOPLE + "test_words_that_cannot_be_taken[birth_date-2008-11-21-too_young]",
        asvs=("V2.2.1",),
    ),
    Control(
        name="pictures are drawn anew",
        off=(("kyc.images:clean", "tests.controls.kyc:uncleaned"),),
        test=PICTURES + "test_where_and_with_what_it_was_taken_goes",
        asvs=("V5.2.2", "V14.2.8"),
    ),
    Control(
        name="pictures with too many pixels are not unpacked",
        off=(
            ("kyc.images:PIXELS_MAX", "tests.controls.kyc:ENDLESS"),
            ("kyc.images:SIDE_MAX", "tests.controls.kyc:ENDLESS"),
            ("PIL.Image:MAX_IMAGE_PIXELS", "tests.controls.kyc:ENDLESS"),
        ),
        test=PICTURES + "test_a_decompression_bomb_is_refused_by_its_header_and_never_unpacked",
        asvs=("V5.2.6",),
    ),
    Control(
        name="a picture has at most 10 MB",
        off=(("kyc.images:BYTES_MAX", "tests.controls.kyc:ENDLESS"),),
        test=API + "test_every_refusal_has_the_one_shape",
        asvs=("V5.2.1",),
    ),
    Control(
        name="pictures are limited by the hour",
        off=(("exchange.site.api.limits:spend", NOTHING),),
        test=API + "test_pictures_are_limited_by_the_hour",
        asvs=("V2.4.1",),
    ),
    Control(
        name="pictures are served so that they can only be looked at",
        off=(("kyc.admin_applications:PICTURE_HEADERS", "tests.controls.kyc:NO_HEADERS"),),
        test=PAGES + "test_a_picture_is_served_so_that_it_can_only_be_looked_at",
        asvs=("V3.2.1", "V14.3.2"),
    ),
    Control(
        name="each look at a picture is on record",
        off=(("kyc.services.reviewing:audit.record", NOTHING),),
        test=PAGES + "test_a_picture_is_served_so_that_it_can_only_be_looked_at",
        asvs=("V16.3.2",),
    ),
    Control(
        name="words and pictures are for reviewers alone",
        off=(("kyc.admin_applications:ApplicationAdmin.has_decide_permission", YES),),
        test=PAGES + "test_who_may_look_at_the_list_sees_no_word_and_no_picture",
        asvs=("V8.2.1", "V8.2.3"),
    ),
    Control(
        name="an erasure destroys the customer's key",
        off=(("exchange.secrets.subjects:destroy", "tests.controls.kyc:no_key"),),
        test=GONE + "test_after_an_erasure_a_backup_of_files_and_database_opens_to_nobody",
        asvs=("V14.2.7",),
    ),
    Control(
        name="an erasure takes the copies of the data along",
        off=(("exchange.accounts.services.exporting:forget", "tests.controls.kyc:no_key"),),
        test=GONE + "test_an_erasure_takes_the_copies_of_his_data_along",
        asvs=("V14.2.7",),
    ),
    Control(
        name="who was approved is screened whatever is handed in later",
        off=(("kyc.application_selectors:people_of", "tests.controls.kyc:newest_alone"),),
        test=WALK + "test_another_name_in_a_renewal_hides_nobody_who_was_approved[True]",
    ),
    Control(
        name="nothing is erased before its time",
        off=(("kyc.services.erasing:_check", NOTHING),),
        test=GONE + "test_not_before_its_time_and_not_while_it_is_needed",
        asvs=("V14.2.7",),
    ),
    Control(
        name="a webhook is signed",
        off=(("kyc.providers.sumsub.signing:check_webhook", NOTHING),),
        test=SUMSUB + "test_a_forged_webhook_is_refused_and_leaves_nothing",
        asvs=("V4.1.5",),
    ),
    Control(
        name="a provider is asked before a level rises",
        off=(("kyc.providers.sumsub.service:Sumsub.fetch", "tests.controls.kyc:believed"),),
        test=SUMSUB + "test_a_webhook_that_says_green_where_the_service_does_not_raises_nothing",
        asvs=("V2.3.2",),
    ),
    Control(
        name="a provider checks the words of today",
        off=(("kyc.providers.sumsub.service:Sumsub.update_applicant", NOTHING),),
        test="tests/integration/kyc/test_sumsub_words.py::test_changed_words_are_what_the_next_check_compares_with",
        asvs=("V2.3.2",),
    ),
]
