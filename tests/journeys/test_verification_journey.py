"""A customer shows who he is, in a real browser: by a phone's narrow page with scripts, and without any."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from kyc.models import Application, Document
from kyc.services import levels
from tests.journeys.conftest import Exchange, Visitor
from tests.verification import PERSON, approve, picture

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}


@pytest.mark.parametrize(("name", "options"), [("wanda", PHONE), ("xaver", {"java_script_enabled": False})])
def test_from_the_first_page_to_the_level(
    exchange: Exchange, visitor: Callable[..., Visitor], tmp_path: Path, name: str, options: dict
) -> None:
    user_id = exchange.customer(name)
    levels.assign(user_id=user_id, level=1, reason="test", actor_id=None, now=timezone.now())
    photo, paper = tmp_path / "passport.png", tmp_path / "page.pdf"
    photo.write_bytes(picture("PNG", size=(900, 700)))
    paper.write_bytes(b"%PDF-1.7 a page")
    window = visitor(**options)
    page = window.page
    window.log_in(name)
    window.goto("/account/verification/")
    page.get_by_role("button", name="Apply for “Identity”").click()

    for label, field in (
        ("Given names", "given_names"),
        ("Family names", "family_names"),
        ("Date of birth", "birth_date"),
    ):
        page.get_by_label(label).fill(PERSON[field])
    page.get_by_label("Nationality").select_option(PERSON["nationality"])
    page.get_by_label("Country you live in").select_option(PERSON["country"])
    page.get_by_label("Passport", exact=True).check()
    page.get_by_role("button", name="Save").click()

    kind = "Passport, the page with the photo"
    page.get_by_label(kind, exact=True).set_input_files(paper)
    page.get_by_role("button", name=re.compile(f"^Send ?: {kind}")).click()
    expect(page.get_by_text("PDF files are not taken").first).to_be_visible()
    page.get_by_label(kind, exact=True).set_input_files(photo)
    page.get_by_role("button", name=re.compile(f"^Send ?: {kind}")).click()
    expect(page.get_by_role("button", name=re.compile(f"^Send another ?: {kind}"))).to_be_visible()
    kind = "Photo of yourself holding it"
    page.get_by_label(kind, exact=True).set_input_files(photo)
    page.get_by_role("button", name=re.compile(f"^Send ?: {kind}")).click()
    expect(page.get_by_role("button", name=re.compile(f"^Send another ?: {kind}"))).to_be_visible()
    assert Document.objects.filter(application__user_id=user_id).count() == 2

    page.get_by_role("button", name="Hand it in").click()
    expect(page.get_by_role("heading", name="Waiting for a person to look at it")).to_be_visible()
    approve(Application.objects.get(user_id=user_id).id, 90_001, now=timezone.now())
    window.goto("/account/verification/")
    expect(page.get_by_text("You are at level Identity")).to_be_visible()
    # A refused upload is answered with an error, which a browser prints beside our own words for it.
    window.complaints[:] = [each for each in window.complaints if "400" not in each]
