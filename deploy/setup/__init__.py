"""Prepares a bare Debian machine to run Bourse, with nothing but Python's own library.

It runs before a virtual environment exists, so nothing here may import a package that is not part of Python. It writes
below the checkout only (`.venv/`, `node_modules/`, `static/dist/`, `var/`): the system is never changed.
"""
