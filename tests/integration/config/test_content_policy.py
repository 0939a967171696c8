"""The strict content policy everywhere; the exception under the back office's path alone."""

import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/", "/accounts/login/", "/markets/", "/api/v1/time", "/no-such-page", "/administration/"]
)
def test_pages_allow_neither_inline_nor_built_code(path: str) -> None:
    policy = Client().get(path)["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.django_db
def test_the_back_office_may_build_functions_but_takes_nothing_inline() -> None:
    policy = Client().get("/admin/login/")["Content-Security-Policy"]
    script = next(part for part in policy.split(";") if "script-src" in part)
    assert "'unsafe-eval'" in script
    assert "unsafe-inline" not in policy
