"""What an operator watches: how much was delivered, what fails, what waits and what is dead."""

from prometheus_client import Counter, Gauge

delivered = Counter("bourse_outbox_delivered_total", "Events that reached a reader.", ["reader"])
failed = Counter("bourse_outbox_failed_total", "Attempts that ended in an error.", ["reader"])
pending = Gauge("bourse_outbox_pending", "Deliveries that wait, as the last round saw them.")
dead = Gauge("bourse_outbox_dead", "Deliveries given up, as the last round saw them.")
