"""Who a person is to us. A user row never carries money, keys or documents: those live in their own rooms."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A customer or a member of staff; known to every other room by its integer id alone."""
