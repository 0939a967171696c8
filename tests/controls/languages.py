"""Controls of languages and maintenance: amounts that cannot be misread, pages that no cache mixes up, doors that shut."""

from __future__ import annotations

from typing import Any

from tests.controls import Control

WORDS = "tests/unit/test_languages.py::"
PAGES = "tests/integration/site/test_site_languages.py::"
YES, NO, NOTHING = "tests.controls.off:yes", "tests.controls.off:no", "tests.controls.off:nothing"


def without_commas(text: str) -> str:
    """In place of a judgement: a comma means nothing, so that 0,5 is 5."""
    return text.strip().replace(",", "")


CONTROLS = [
    Control(
        "a typed comma is what its writer meant, or refused",
        (("exchange.site.typed:amount", "tests.controls.languages:without_commas"),),
        WORDS + "test_a_comma_is_what_its_writer_meant_or_refused[0,5-0.5-0.5]",
    ),
    Control(
        "no cache gives a page in one language to a reader of another",
        (("exchange.site.languages:patch_vary_headers", NOTHING),),
        PAGES + "TestLanguage::test_a_guest_reads_what_the_browser_asks_for_and_no_cache_mixes_them_up",
    ),
    Control(
        "the language switch leads to no other site",
        (("exchange.site.views.preferences:url_has_allowed_host_and_scheme", YES),),
        PAGES + "TestLanguage::test_the_switch_leads_nowhere_else[https://evil.example/]",
    ),
    Control(
        "API and back office speak English whatever the browser asks for",
        (("exchange.site.languages:in_english_alone", NO),),
        PAGES + "TestLanguage::test_the_api_and_the_back_office_speak_english",
    ),
    Control(
        "a file closes pages and API for maintenance",
        (("exchange.site.maintenance:on", NO),),
        PAGES + "TestErrors::test_a_file_closes_pages_and_api_and_leaves_staff_and_monitors",
    ),
    Control(
        "values are shown only in currencies that have a rate",
        (("exchange.assets.display:Q", "tests.controls.languages:anything"),),
        PAGES + "TestPreferences::test_a_currency_without_a_rate_is_not_offered_and_one_that_lost_it_falls_back",
    ),
]


def anything(*args: Any, **conditions: Any) -> Any:
    """In place of a condition: every row."""
    from django.db.models import Q

    return Q()
