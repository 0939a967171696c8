"""Who a person is to us. A user row never carries money, keys or documents: those live in their own rooms."""

from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class UserQueries(BaseUserManager):
    """What Django's own machinery (createsuperuser, log-in) asks of a user model; ours goes through services."""

    use_in_migrations = True

    @classmethod
    def normalize_email(cls, email):
        """Lower case throughout: one mailbox is one person, and no provider in use tells mailboxes apart by case."""
        return (email or "").strip().lower()

    def get_by_natural_key(self, username):
        return self.get(email=self.normalize_email(username))

    def create_user(self, email, password=None, **fields):
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})


class User(AbstractBaseUser, PermissionsMixin):
    """A customer or a member of staff; known to every other room by its integer id alone."""

    id = models.BigAutoField(primary_key=True)
    email = models.EmailField("e-mail", max_length=254, unique=True)
    display_name = models.CharField(max_length=60, blank=True)
    language = models.CharField(max_length=10, default="en")
    display_currency = models.CharField(
        max_length=12, blank=True, default="", help_text="In which values are shown; empty: the reference currency."
    )
    is_staff = models.BooleanField("staff", default=False, help_text="May log in to the staff pages.")
    is_active = models.BooleanField(
        "active", default=True, help_text="Switch off instead of deleting: the books keep the id."
    )
    date_joined = models.DateTimeField(default=timezone.now)
    # When somebody last showed, by a link that was sent there, that the address is his; None where a provider vouched for it.
    address_confirmed_at = models.DateTimeField(null=True, editable=False)

    objects = UserQueries()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="accounts_user_email_lower_case"),
        ]

    def __str__(self):
        return self.email

    def get_full_name(self):
        return self.display_name or self.email

    def get_short_name(self):
        return self.display_name or self.email.partition("@")[0]
