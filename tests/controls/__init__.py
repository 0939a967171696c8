"""Every control of the exchange beside the test that proves it.

A control is proved only when its test turns red without it. Each room lists its own here, in a file of its own, as `CONTROLS`;
`make controls` switches them off one after the other and runs the test of each. What must never happen here: a replacement
that breaks more than the control (a test that fails of an import error proves nothing).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Control:
    """One control, how it is switched off, and the test that must then fail.

    `off` maps "package.module:attribute.path" to what stands there in its place: "package.module:attribute" of something in
    `tests.controls.off`, or of a test helper of the room's own; or, for a Django setting, "settings:NAME" to its value as a
    Python literal. `asvs` names the requirements of OWASP ASVS 5.0 that it serves ("V6.3.3"); `test` is a pytest node id.
    """

    name: str
    off: tuple[tuple[str, str], ...]
    test: str
    asvs: tuple[str, ...] = ()
