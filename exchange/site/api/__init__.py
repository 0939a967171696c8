"""The root of the REST API: what every room's endpoints share."""
