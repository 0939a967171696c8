"""Production's password hash, made once for each password: a server that a test starts checks it as it checks any other.

Making one takes a fifth of a second, and most customers of the tests share one password. What must never happen here: a cheaper
hash than production's, or this one in any settings module.
"""

from __future__ import annotations

from functools import cache

from django.contrib.auth.hashers import Argon2PasswordHasher

HASHERS = ["tests.hashing.OnceForEachPassword"]


class OnceForEachPassword(Argon2PasswordHasher):
    def encode(self, password: str, salt: str) -> str:
        return _encoded(password)


@cache
def _encoded(password: str) -> str:
    hasher = Argon2PasswordHasher()
    return hasher.encode(password, hasher.salt())
