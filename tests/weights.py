"""How long the longer test files take, in seconds on two idle cores, so that they are started first (see conftest.py).

Only the order rests on it: a figure that is out of date costs some idle seconds at the end of a run, and nothing else. Taken
from `pytest --durations=0`; a file that is not here counts as a short one. One that takes as long as a tenth of a whole run is
better split.
"""

from __future__ import annotations

SECONDS = {
    "tests/journeys/test_main_job.py": 75,
    "tests/simulation/test_crash_coins.py": 75,
    "tests/integration/demo/test_demo_run.py": 65,
    "tests/integration/trading/test_engine_crashes.py": 60,
    "tests/simulation/test_engine_takeover.py": 55,
    "tests/simulation/test_crash_rounds.py": 45,
    "tests/integration/api/test_api_marketdata.py": 45,
    "tests/simulation/test_engine_simulation.py": 41,
    "tests/integration/custody/test_custody_process.py": 40,
    "tests/integration/wallets/test_wallets_utxo_payouts.py": 40,
    "tests/integration/api/test_api_order_entry.py": 35,
    "tests/journeys/test_site_accessibility.py": 31,
    "tests/journeys/test_site_journeys.py": 31,
    "tests/integration/kyc/test_screening.py": 30,
    "tests/integration/wallets/test_wallets_evm.py": 30,
    "tests/integration/api/test_api_websocket_line.py": 28,
    "tests/integration/api/test_api_trading.py": 27,
    "tests/integration/trading/test_order_types.py": 26,
    "tests/integration/api/test_api_channels.py": 25,
    "tests/integration/api/test_api_fuzz.py": 24,
    "tests/integration/api/test_api_websocket.py": 24,
    "tests/integration/trading/test_overlapping_batches.py": 20,
    "tests/integration/trading/test_trading_tape.py": 20,
    "tests/integration/chains/test_utxo_nodes.py": 20,
    "tests/integration/api/test_api_door.py": 18,
    "tests/integration/api/test_api_orders.py": 18,
    "tests/integration/trading/test_many_orders.py": 18,
    "tests/integration/api/test_api_asyncapi.py": 17,
    "tests/integration/trading/test_fee_tiers.py": 16,
    "tests/integration/trading/test_every_order_is_durable.py": 15,
    "tests/integration/wallets/test_wallets_screening.py": 15,
    "tests/simulation/test_engine_shards.py": 14,
    "tests/integration/trading/test_orders_through_the_engine.py": 12,
}
