"""Notifications over REST: the inbox, and the devices that take pushes."""
