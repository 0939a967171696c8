"""For tests of identity checks: pictures, and an application brought as far as a test needs it."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

from PIL import Image, ImageDraw

from kyc import requirements
from kyc.models import Application
from kyc.services import applications, documents, levels, reviewing

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
PERSON = {
    "given_names": "Ada Augusta",
    "family_names": "Lovelace",
    "birth_date": "1990-12-10",
    "nationality": "GB",
    "country": "FR",
    "document_type": "passport",
}
ADDRESS = {"street": "12 St James's Square", "city": "London", "postal_code": "SW1Y 4JH", "address_country": "GB"}
FUNDS = {"occupation": "Analyst", "source_of_funds": "Salary\nand savings"}
TOLD = {"identity": PERSON, "address": ADDRESS, "enhanced": FUNDS}


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 480), **options: object) -> bytes:
    """A picture with something on it."""
    image = Image.new("RGB", size, (200, 210, 220))
    ImageDraw.Draw(image).rectangle((40, 40, size[0] // 2, size[1] // 2), fill=(30, 60, 120))
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def filled(user_id: int, level: int = 2, *, now: datetime = NOW) -> Application:
    """A draft with everything in it."""
    application = applications.start(user_id=user_id, level=level, now=now)
    told = TOLD[application.level.code]
    applications.describe(user_id=user_id, application_id=application.id, told=told, now=now)
    for kind in requirements.kinds(application.level.code, told.get("document_type", "")):
        documents.upload(user_id=user_id, application_id=application.id, kind=kind, data=picture(), now=now)
    return Application.objects.get(id=application.id)


def submitted(user_id: int, level: int = 2, *, now: datetime = NOW) -> Application:
    """One that waits for review; the levels beneath are given by hand."""
    if level > 2:
        levels.assign(user_id=user_id, level=level - 1, reason="test", actor_id=1, now=now)
    application = filled(user_id, level, now=now)
    applications.submit(user_id=user_id, application_id=application.id, now=now)
    return Application.objects.get(id=application.id)


def approved(user_id: int, level: int = 2, *, actors: tuple[int, ...] = (91, 92), now: datetime = NOW) -> Application:
    application = submitted(user_id, level, now=now)
    for actor_id in actors:
        if not approve(application.id, actor_id, now=now):
            break
    return Application.objects.get(id=application.id)


def approve(application_id: UUID, actor_id: int, *, now: datetime = NOW) -> int:
    """One yes, to what stands there now."""
    seen = Application.objects.get(id=application_id).version
    return reviewing.approve(application_id=application_id, actor_id=actor_id, seen=seen, now=now)
