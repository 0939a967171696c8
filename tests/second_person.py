"""The second pair of eyes, for tests of what takes two of staff."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.utils import timezone

from exchange.proposals import services
from exchange.proposals.models import Proposal

EMAIL = "second@example.com"


def second_person() -> int:
    """Somebody of the staff who may all; the id."""
    known = get_user_model().objects.filter(email=EMAIL).first()
    return int((known or get_user_model().objects.create_superuser(email=EMAIL, password="w" * 20)).pk)


def approve() -> int:
    """Approves the one proposal that waits; its id."""
    waiting = Proposal.objects.get(outcome="")
    services.approve(proposal_id=waiting.pk, actor_id=second_person(), now=timezone.now())
    return int(waiting.pk)
