"""The one error of set-up: a sentence that tells the person at the terminal what to do. A traceback must never reach them."""


class SetupError(Exception):
    """Set-up cannot go on. The message is shown as it is: what is the matter, and the way out of it."""

    def __init__(self, cause: str, way_out: str = "") -> None:
        super().__init__(f"{cause} {way_out}".strip())
        self.cause = cause
