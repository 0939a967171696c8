"""What follows from a link that goes, and from a password that was reset.

What must never happen here: a way in taken away without its owner being told; a stranger's link that outlives the day on
which the owner of the address takes the account over. (Somebody signs up through a provider with another person's address, and
that person clicks the link in the mail, or does not; when he resets "his" password the stranger's way in must not stand beside
it. Whoever opened his account so himself loses his link as well, is told so, and links it again.)
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, password_reset
from allauth.core import context
from allauth.socialaccount.models import SocialAccount
from axes.utils import reset as forget_failures
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from exchange.accounts import watching
from exchange.accounts.models import User
from exchange.accounts.services import credentials
from exchange.audit import services as audit


@receiver(post_delete, sender=SocialAccount)
def told(sender: Any, instance: SocialAccount, **kwargs: Any) -> None:
    """In the transaction that takes the link away."""
    credentials.changed(
        user_id=instance.user_id,
        what="linked_account",
        detail=f"{instance.get_provider().name} unlinked",
        origin=audit.origin_of(context.request),
        now=timezone.now(),
    )


@receiver(password_reset)
def taken_over_by_its_owner(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Whatever was linked before somebody showed to be the owner of the address was linked by nobody knows whom."""
    for account in SocialAccount.objects.filter(user_id=user.pk):
        if user.last_login is None or linked_by_nobody_knows_whom(account, user):
            account.delete()


def linked_by_nobody_knows_whom(account: SocialAccount, user: User) -> bool:
    """Whether the address came to be known as his only after the link was made."""
    return user.address_confirmed_at is not None and account.date_joined < user.address_confirmed_at


@receiver(email_confirmed)
def shown_to_be_his(sender: Any, email_address: EmailAddress, **kwargs: Any) -> None:
    """A link that was sent to this address has come back."""
    User.objects.filter(pk=email_address.user_id).update(address_confirmed_at=timezone.now())


@receiver(password_reset)
def unlocked(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Who chose a new password by e-mail need not wait for the lock that the old one's guesses left at this peer."""
    forget_failures(username=user.email, ip=watching.attempted_from(request), ip_or_username=False)
