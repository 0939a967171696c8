"""docs/asyncapi.yaml is what the code says, valid, and complete; its examples are what it describes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from trading.asyncapi.operations import OPERATIONS
from trading.asyncapi.streams import STREAMS
from trading.candles import BY_LENGTH
from trading.management.commands import asyncapi
from trading.marketdata import channels
from trading.sockets import messages

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "asyncapi.yaml"
NODE = shutil.which("node") or str(ROOT / ".venv" / "bin" / "node")
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text())
EXAMPLES = [
    (f"{channel}.{name}", message["payload"], example["payload"])
    for channel, described in DOCUMENT["channels"].items()
    for name, message in described["messages"].items()
    for example in message["examples"]
]


def validator(schema: dict[str, Any]) -> Draft7Validator:
    return Draft7Validator({**schema, "components": DOCUMENT["components"]})


def run(path: Path) -> subprocess.CompletedProcess[str]:
    check = Path(__file__).with_name("asyncapi_check.mjs")
    return subprocess.run([NODE, str(check), str(path)], capture_output=True, text=True, timeout=120, cwd=ROOT)


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text() == asyncapi.text(), "run `manage.py asyncapi > docs/asyncapi.yaml`"


def test_it_is_a_valid_document() -> None:
    ran = run(FILE)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{len(STREAMS) + 1} channels, {len(OPERATIONS) + len(STREAMS) + 1} operations\n"


def test_the_validator_sees_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(FILE.read_text().replace("action: receive", "action: listen", 1))
    assert run(broken).returncode == 1
    broken.write_text(FILE.read_text().replace("#/components/schemas/Order'", "#/components/schemas/Ordre'", 1))
    assert run(broken).returncode == 1


@pytest.mark.parametrize(("name", "schema", "example"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_an_example_is_what_its_schema_describes(name: str, schema: dict[str, Any], example: dict[str, Any]) -> None:
    check = validator(schema)
    assert not [error.message for error in check.iter_errors(example)]
    for strange in ("user_id", "price_as_float"):
        assert not check.is_valid({**example, strange: 1})


def test_every_channel_is_described() -> None:
    described = {stream.kind for stream in STREAMS}
    assert described == channels.OF_A_MARKET | channels.PUBLIC | channels.PRIVATE
    assert {stream.kind for stream in STREAMS if stream.private} == channels.PRIVATE
    for stream in STREAMS:
        assert channels.parse(stream.example).name == stream.example
    parameters = (
        DOCUMENT["channels"]["candles"]["parameters"]["interval"],
        DOCUMENT["channels"]["bookDepth"]["parameters"]["depth"],
    )
    assert [parameter["enum"] for parameter in parameters] == [
        list(BY_LENGTH),
        [str(depth) for depth in channels.DEPTHS],
    ]


def test_every_op_is_described() -> None:
    assert {each.op for each in OPERATIONS} == set(messages.OPS)
    assert {each.op for each in OPERATIONS if each.needs_log_in} == messages.COMMANDS


def test_no_message_of_ours_has_room_for_a_customers_number() -> None:
    assert "user_id" not in FILE.read_text()
