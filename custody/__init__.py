"""Custody: who may move coins."""
