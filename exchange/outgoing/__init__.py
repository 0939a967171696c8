"""Outgoing: the one way by which this house calls other people's services over HTTP."""
