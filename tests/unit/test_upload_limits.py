"""How large a body an address takes: pictures have addresses of their own, so that nothing else takes as much."""

import pytest

from exchange.site.api import body_limit


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/v1/kyc/applications/0198/pictures", 10 * 1024 * 1024 + 64 * 1024),
        ("/api/v1/kyc/applications/0198/words", 64 * 1024),
        ("/api/v1/orders", 64 * 1024),
        ("/account/verification/0198/pictures/selfie/", 10 * 1024 * 1024 + 64 * 1024),
        ("/hooks/kyc/sumsub/", 64 * 1024),
        ("/accounts/login/", 2 * 1024 * 1024),
        ("/admin/wallets/coldproposal/", 10 * 1024 * 1024),
    ],
)
def test_only_a_pictures_address_takes_a_large_body(path, most):
    assert body_limit.most_of(path) == most
