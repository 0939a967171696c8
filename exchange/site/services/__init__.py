"""What pages do in one call: a room's service, and what the page shows around it."""
