"""What changes and enforces a customer's standing: `levels` and `limits`."""
