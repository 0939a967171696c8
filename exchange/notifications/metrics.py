"""What Prometheus sees of the ways out."""

from prometheus_client import Counter, Gauge

outcomes = Counter("bourse_notifications_total", "Deliveries tried, by what became of them.", ["channel", "outcome"])
waiting = Gauge("bourse_notifications_waiting", "Deliveries that are owed.", ["channel"])
dead = Gauge("bourse_notifications_dead", "Deliveries that were given up and wait for a person.")
paused = Gauge("bourse_notifications_providers_paused", "Providers that fail and are left alone for a while.")
