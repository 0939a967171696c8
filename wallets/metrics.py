"""What the operator's dashboards read of this room."""

from prometheus_client import Counter, Gauge

TIP = Gauge("bourse_wallets_tip_height", "Height of the node's tip", ["network"], multiprocess_mode="mostrecent")
SCANNED = Gauge("bourse_wallets_scanned_height", "Height we scanned", ["network"], multiprocess_mode="mostrecent")
UP = Gauge("bourse_wallets_node_up", "1 when the node answered last time", ["network"], multiprocess_mode="mostrecent")
SOURCE_UP = Gauge(
    "bourse_wallets_source_up", "1 when this source did well", ["network", "source"], multiprocess_mode="mostrecent"
)
SOURCE_TIP = Gauge(
    "bourse_wallets_source_tip_height", "Height of a source", ["network", "source"], multiprocess_mode="mostrecent"
)
SOURCE_DISAGREES = Gauge(
    "bourse_wallets_source_disagrees",
    "1 while this source has another block than the one that serves",
    ["network", "source"],
    multiprocess_mode="mostrecent",
)
CREDITED = Counter("bourse_wallets_deposits_credited_total", "Deposits credited", ["network"])
REVERSED = Counter("bourse_wallets_deposits_reversed_total", "Credits taken back after a reorganisation", ["network"])
PAYERS_UNKNOWN = Counter(
    "bourse_wallets_payers_unknown_total", "Outputs that deposits spent, and the node does not know", ["network"]
)
SENT = Counter("bourse_wallets_payouts_broadcast_total", "Payouts sent to a network for the first time", ["network"])
FAULTS = Counter(
    "bourse_wallets_faults_total", "What failed in a way nobody foresaw, and was passed over", ["network", "what"]
)
