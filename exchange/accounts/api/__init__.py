"""What every API view stands on: who is asking, which input is good, how a list is paged; and the customer's own `me`."""
