"""Where this room's steps may be killed by a test (see custody.faults, which the signer passes as well)."""

from custody.faults import passing

__all__ = ["passing"]
