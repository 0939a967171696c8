"""Sanctions lists: what is published, who may be meant by it, and the cases that staff decide."""
