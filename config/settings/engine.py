"""The matching engine: the same code under the database role bourse_engine, which can write what an engine writes and no more."""

import os
from importlib import import_module

from config.environment import database
from trading import compiled

# Before anything imports the core. Where nothing was compiled, the source runs.
ENGINE_COMPILED = compiled.use()

# The engine stands on the settings of its house: production's, or a developer's.
_house = import_module(os.environ.get("BOURSE_HOUSE_SETTINGS", "config.settings.dev"))
globals().update({name: getattr(_house, name) for name in dir(_house) if name.isupper()})

DATABASES = {"default": database("ENGINE_DATABASE_URL")}

# How long a leader may be silent before its standby takes over; see trading/runner/leadership.py for what it is unless set here.
if "ENGINE_HEARTBEAT_MS" in os.environ:
    ENGINE_HEARTBEAT_MS = int(os.environ["ENGINE_HEARTBEAT_MS"])
