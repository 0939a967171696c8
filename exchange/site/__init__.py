"""Site: pages and API root that span apps; the demo."""
