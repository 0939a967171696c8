"""CoinMarketCap's client against a local server that answers as its documentation prints it, and worse.

The shape of the answer, its fields and the error codes are those of the example responses in
https://coinmarketcap.com/api/documentation/v1/#operation/getV2CryptocurrencyQuotesLatest and its section
"Errors and Rate Limits" (1008: minute rate limit, 1002: key missing). Asked by symbol, version 2 answers a list a symbol.
"""

import contextlib
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from exchange.assets.sources import RateLimited, SourceFailed, coinmarketcap

NOW = datetime(2018, 8, 9, 21, 57, 0, tzinfo=UTC)
KEY = "b54bcf4d-0000-test"

# As printed in the documentation; the price is written out as text so that no float touches it on the way.
BITCOIN = """{"id": 1, "name": "Bitcoin", "symbol": "BTC", "slug": "bitcoin", "is_active": 1, "is_fiat": 0,
 "circulating_supply": 17199862, "total_supply": 17199862, "max_supply": 21000000,
 "date_added": "2013-04-28T00:00:00.000Z", "num_market_pairs": 331, "cmc_rank": 1,
 "last_updated": "2018-08-09T21:56:28.000Z", "tags": ["mineable"], "platform": null,
 "self_reported_circulating_supply": null, "self_reported_market_cap": null,
 "quote": {"USD": {"price": %s, "volume_24h": 4314444687.5194, "volume_change_24h": -0.152774,
  "percent_change_1h": 0.988615, "percent_change_24h": 4.37185, "percent_change_7d": -12.1352,
  "percent_change_30d": -12.1352, "market_cap": 852164659250.2758, "market_cap_dominance": 51,
  "fully_diluted_market_cap": 952835089431.14, "last_updated": %s}}}"""
OK_STATUS = """"status": {"timestamp": "2018-08-09T21:56:30.000Z", "error_code": 0, "error_message": "",
 "elapsed": 10, "credit_count": 1, "notice": ""}"""
RATE_LIMITED = """{"status": {"timestamp": "2018-06-02T22:51:28.209Z", "error_code": 1008,
 "error_message": "You've exceeded your API Key's HTTP request rate limit. Rate limits reset every minute.",
 "elapsed": 10, "credit_count": 0}}"""
KEY_MISSING = """{"status": {"timestamp": "2018-06-02T22:51:28.209Z", "error_code": 1002,
 "error_message": "API key missing.", "elapsed": 10, "credit_count": 0}}"""


def bitcoin(price="6602.60701122", last_updated='"2018-08-09T21:56:28.000Z"'):
    return BITCOIN % (price, last_updated)


def answer(**symbols):
    data = ", ".join(f'"{symbol}": {entries}' for symbol, entries in symbols.items())
    return f'{{"data": {{{data}}}, {OK_STATUS}}}'


class Service:
    """CoinMarketCap's place in a test: checks path, parameters and key as the real one does."""

    def __init__(self):
        self.status, self.headers, self.body, self.delay_s, self.asked = 200, {}, answer(), 0, []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlsplit(self.path)
                service.asked.append((url.path, parse_qs(url.query), self.headers.get("X-CMC_PRO_API_KEY")))
                status, body = service.status, service.body
                if url.path != "/v2/cryptocurrency/quotes/latest":
                    status, body = 404, "{}"
                elif self.headers.get("X-CMC_PRO_API_KEY") != KEY:
                    status, body = 401, KEY_MISSING
                time.sleep(service.delay_s)
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **service.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # a client that gave up reading
                    self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def service(settings):
    service = Service()
    settings.CMC_BASE_URL, settings.CMC_API_KEY = service.url, KEY
    yield service
    service.server.shutdown()
    service.server.server_close()


def ask(*codes, now=NOW):
    return coinmarketcap.quotes(codes or ["BTC"], now=now)


def test_it_reads_the_documented_answer_to_the_last_digit(service):
    service.body = answer(BTC=f"[{bitcoin()}]")
    (quote,) = ask()
    assert quote.usd == Decimal("6602.60701122")
    assert quote.as_of == datetime(2018, 8, 9, 21, 56, 28, tzinfo=UTC)


def test_it_asks_for_all_at_once_with_the_key_in_the_header(service):
    ask("LTC", "BTC")
    assert service.asked == [
        ("/v2/cryptocurrency/quotes/latest", {"symbol": ["BTC,LTC"], "convert": ["USD"]}, KEY),
    ]


def test_an_answer_by_object_in_place_of_a_list_is_read_too(service):
    service.body = answer(BTC=bitcoin())
    assert len(ask()) == 1


def test_digits_beyond_a_float_survive(service):
    service.body = answer(BTC=f"[{bitcoin('0.12345678901234567890123')}]")
    assert ask()[0].usd == Decimal("0.12345678901234567890123")


def test_another_coin_of_the_same_symbol_is_not_taken(service):
    impostor = bitcoin("0.01").replace('"id": 1,', '"id": 9999,')
    service.body = answer(BTC=f"[{impostor}, {bitcoin()}]")
    assert ask()[0].usd == Decimal("6602.60701122")
    service.body = answer(BTC=f"[{impostor}]")
    assert ask() == []


def test_a_coin_we_have_no_id_for_is_the_best_ranked_active_one(service):
    def coin(price, rank, active):
        text = bitcoin(price).replace('"BTC"', '"NEW"').replace('"cmc_rank": 1', f'"cmc_rank": {rank}')
        return text.replace('"is_active": 1', f'"is_active": {active}')

    service.body = answer(NEW=f"[{coin('1', 900, 1)}, {coin('2', 80, 1)}, {coin('3', 7, 0)}, {coin('4', 'null', 1)}]")
    assert ask("NEW")[0].usd == 2


@pytest.mark.parametrize(
    "price", ["0", "-5", "null", '"6602"', "true", "1e40", "1e-30", "[]", "{}", "99999999999999999999"]
)
def test_a_price_that_makes_no_sense_is_left_out_and_the_others_kept(service, price):
    litecoin = bitcoin("60.5").replace('"id": 1,', '"id": 2,').replace('"BTC"', '"LTC"')
    service.body = answer(BTC=f"[{bitcoin(price)}]", LTC=f"[{litecoin}]")
    assert [(q.code, q.usd) for q in ask("BTC", "LTC")] == [("LTC", Decimal("60.5"))]


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_spoil_the_answer(service, price):
    service.body = answer(BTC=f"[{bitcoin(price)}]")
    with pytest.raises(SourceFailed, match="not JSON"):
        ask()


@pytest.mark.parametrize(
    "moment", ["null", '"yesterday"', '"2018-08-09T21:56:28"', "1533851788", '"2018-08-09T22:30:00Z"']
)
def test_a_price_without_a_time_or_from_the_future_is_left_out(service, moment):
    service.body = answer(BTC=f"[{bitcoin(last_updated=moment)}]")
    assert ask() == []


def test_a_clock_a_little_ahead_of_ours_is_taken_for_ours(service):
    service.body = answer(BTC=f"[{bitcoin()}]")
    early = datetime(2018, 8, 9, 21, 56, 0, tzinfo=UTC)
    assert ask(now=early)[0].as_of == early
    assert ask(now=early - timedelta(minutes=5)) == []


@pytest.mark.parametrize(
    "entries",
    [
        "[]",
        "null",
        "{}",
        "[null]",
        '["x"]',
        '[{"id": 1, "symbol": "BTC"}]',
        '[{"id": 1, "symbol": "BTC", "quote": {}}]',
    ],
)
def test_an_entry_without_a_quote_is_left_out(service, entries):
    service.body = answer(BTC=entries)
    assert ask() == []


def test_a_symbol_that_is_not_in_the_answer_is_left_out(service):
    assert ask("BTC") == []


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({}, 60),
        ({"Retry-After": "999999"}, 60),
        ({"Retry-After": "86400"}, 3600),
        ({"Retry-After": "soon"}, 60),
        ({"Retry-After": "0"}, 1),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(service, header, wait_s):
    service.status, service.headers, service.body = 429, header, RATE_LIMITED
    with pytest.raises(RateLimited) as limit:
        ask()
    assert limit.value.retry_after_s == wait_s


def test_a_refused_key_is_a_failure_that_names_the_reason_and_not_the_key(service, settings):
    settings.CMC_API_KEY = "wrong-secret-key"
    with pytest.raises(SourceFailed, match="HTTP 401: 1002 API key missing") as failure:
        ask()
    assert "wrong-secret-key" not in str(failure.value)


@pytest.mark.parametrize("status", [400, 403, 500, 502])
def test_other_statuses_are_failures(service, status):
    service.status, service.body = status, "<html>"
    with pytest.raises(SourceFailed, match=f"HTTP {status}"):
        ask()


def test_an_error_code_inside_a_success_is_a_failure(service):
    service.body = json.dumps({"status": {"error_code": 500, "error_message": "An internal server error occurred"}})
    with pytest.raises(SourceFailed, match="internal server error"):
        ask()


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", "<html></html>", "[" * 100, '{"status": 1, "data": {}}'])
def test_an_answer_that_is_none_is_a_failure(service, body):
    service.body = body
    with pytest.raises(SourceFailed):
        ask()


def test_a_deeply_nested_answer_is_refused_before_it_is_parsed(service, monkeypatch):
    """json's C code recurses: where the recursion limit was raised, such an answer ended the process."""
    monkeypatch.setattr(coinmarketcap.json, "loads", lambda *args, **kwargs: pytest.fail("it was parsed"))
    service.body = "[" * 1_000_000
    with pytest.raises(SourceFailed, match="nested too deeply"):
        ask()


def test_an_endless_answer_is_cut_off(service, monkeypatch):
    monkeypatch.setattr(coinmarketcap, "ANSWER_BYTES_MAX", 10_000)
    service.body = " " * 200_000
    with pytest.raises(SourceFailed, match="too long"):
        ask()


def test_a_redirect_is_not_followed_with_the_key_in_hand(service):
    service.status, service.headers = 302, {"Location": f"{service.url}/elsewhere"}
    with pytest.raises(SourceFailed, match="HTTP 302"):
        ask()
    assert len(service.asked) == 1


def test_a_service_that_does_not_answer_in_time_is_a_failure(service, monkeypatch):
    monkeypatch.setattr(coinmarketcap, "READ_TIMEOUT_S", 0.2)
    service.delay_s = 1
    with pytest.raises(SourceFailed, match="ReadTimeout"):
        ask()


def test_a_service_that_is_down_is_a_failure(settings):
    settings.CMC_BASE_URL, settings.CMC_API_KEY = "http://127.0.0.1:9", KEY
    with pytest.raises(SourceFailed, match="ConnectionError"):
        ask()
