"""SMS through Twilio's REST API: one form, one answer.

https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource and …/docs/api/errors for the codes.
What must never happen here: the account's token anywhere but in the Authorization header.
"""

from __future__ import annotations

from django.conf import settings

from exchange.notifications.channels.parcels import Down, Gone, Later, Outcome, Refused, Sent, Unsure, retry_after
from exchange.outgoing import calls

SECONDS, ANSWER_MAX = 8.0, 65_536
# The number is none, is not ours to send to, cannot take an SMS, or its owner has answered STOP.
_NUMBER_GONE = frozenset({21211, 21217, 21408, 21610, 21612, 21614})


def send(number: str, text: str) -> Outcome:
    sender = settings.TWILIO_FROM
    form = {"To": number, "Body": text, "MessagingServiceSid" if sender.startswith("MG") else "From": sender}
    session = calls.Session(
        seconds=SECONDS, bytes_max=ANSWER_MAX, whole_s=2 * SECONDS, ca_file=settings.TELLING_CA_FILE
    )
    try:
        with session:
            answer = session.post(
                f"{settings.TWILIO_URL}/2010-04-01/Accounts/{settings.TWILIO_ACCOUNT_SID}/Messages.json",
                data=form,
                auth=(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN),
            )
    except calls.Failed as error:
        # Once it was on its way, nobody can say what became of it.
        return Down(type(error).__name__) if calls.never_left(error) else Unsure(type(error).__name__)
    return _judged(answer)


def _judged(answer: calls.Response) -> Outcome:
    try:
        said = answer.json()
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    if answer.status_code == 201 and said.get("status") not in ("failed", "undelivered", "canceled"):
        return Sent(reference=str(said.get("sid", ""))[:120])
    code = said.get("code") or said.get("error_code")
    why = f"HTTP {answer.status_code} {code or ''}".strip()
    if code in _NUMBER_GONE:
        return Gone(why)
    after = retry_after(answer.headers.get("Retry-After"))
    if answer.status_code == 429:
        return Later(why, after)
    return Down(why, after) if answer.status_code >= 500 or answer.status_code in (401, 403) else Refused(why)
