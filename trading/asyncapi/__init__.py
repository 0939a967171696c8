"""The websocket described for programs (AsyncAPI 3): `manage.py asyncapi` prints it, docs/asyncapi.yaml holds it.

The schemas come from the tables that check requests and shape answers (trading.api.forms, trading.api.answers), so the document
cannot say otherwise; the suite runs each example against a live server and holds every message to its schema.
What must never happen here: a message that the server sends and the document does not know.
"""
