"""The one error of set-up: a sentence that tells the person at the terminal what to do. A traceback must never reach them."""


class SetupError(Exception):
    """Set-up cannot go on. The message is shown as it is, so it names the cause and the way out."""
