"""Outside services that look at documents first: each a folder of its own, all behind `protocol.Provider`.

"manual" is none of them: where no service is set, or it does not know a level, people look at everything.
"""

from __future__ import annotations

from kyc.providers.protocol import Provider


def by_name(name: str) -> Provider | None:
    """The service of that name where the operator has set it up, or None."""
    if name == "sumsub":
        from kyc.providers.sumsub import service

        return service.configured()
    return None
