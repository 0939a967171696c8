"""What an operator watches about prices: their age, and the sources that fail."""

from prometheus_client import Counter, Gauge

price_as_of = Gauge("bourse_price_as_of_seconds", "When the last believed price was true (Unix time).", ["asset"])
source_failed = Counter("bourse_price_source_failed_total", "Refreshes that a source did not answer.", ["source"])
leaps = Counter("bourse_price_leaps_total", "Prices not believed because they leapt.", ["asset"])
