"""The velocity log: durable before it counts, whole or refused, one signer at a time."""

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.velocity import LogBusy, LogDamaged, LogMissing, NotDurable, Reservation, VelocityLog, conflicts

KEY = b"k" * 32


def entry(number, *, at=1_000, amount=100, spends=None, withdrawals=(), replaces=""):
    return Reservation(
        job_id=f"job{number}",
        at=at,
        digest=f"digest{number}",
        charges={"bitcoin": amount},
        spends=spends or {f"bitcoin:{number:02x}:0": "500"},
        withdrawals=tuple(withdrawals),
        replaces=replaces,
    )


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "velocity.log"
    VelocityLog.create(place, key=KEY)
    return place


def reopened(log, path):
    log.close()
    return VelocityLog.open(path, key=KEY)


def test_what_was_reserved_is_there_after_a_restart(path):
    log = VelocityLog.open(path, key=KEY)
    first, second = entry(1, withdrawals=["w1"]), entry(2, at=1_500, withdrawals=["w2"], amount=7)
    log.reserve(first)
    log.reserve(second)
    log = reopened(log, path)
    assert log.job("job1") == first
    assert log.job("job3") is None
    assert log.paid("w2") == [second]
    assert log.spending("bitcoin:01:0") == [first]
    assert log.charged("bitcoin", since=999) == 107
    assert log.charged("bitcoin", since=1_000) == 7
    assert log.charged("litecoin", since=0) == 0


def test_of_several_versions_the_dearest_counts(path):
    log = VelocityLog.open(path, key=KEY)
    spends = {"bitcoin:aa:0": "500"}
    log.reserve(entry(1, amount=100, spends=spends))
    log.reserve(entry(2, amount=130, spends=spends, replaces="job1"))
    log.reserve(entry(3, amount=120, spends=spends, replaces="job1"))
    log.reserve(entry(4, amount=5))
    log = reopened(log, path)
    assert log.charged("bitcoin", since=0) == 135
    assert log.charged("bitcoin", since=0, without="job1") == 5
    assert [version.job_id for version in log.versions("job1")] == ["job1", "job2", "job3"]


def test_a_clock_that_was_set_back_does_not_empty_the_windows(path):
    log = VelocityLog.open(path, key=KEY)
    log.reserve(entry(1, at=5_000))
    assert log.clock(10) == 5_000
    assert log.clock(6_000) == 6_000


@pytest.mark.parametrize("kept", [1, 20, 100])
def test_an_unfinished_last_line_is_cut_off(path, kept):
    log = VelocityLog.open(path, key=KEY)
    log.reserve(entry(1))
    log.close()
    whole = path.read_bytes()
    log = VelocityLog.open(path, key=KEY)
    log.reserve(entry(2))
    log.close()
    path.write_bytes(path.read_bytes()[: len(whole) + kept])
    log = VelocityLog.open(path, key=KEY)
    assert len(log.torn) == kept
    assert (log.job("job1") is not None, log.job("job2")) == (True, None)
    assert path.read_bytes() == whole
    log.reserve(entry(3))
    assert reopened(log, path).job("job3") is not None


def test_a_hole_at_the_end_is_cut_off(path):
    log = VelocityLog.open(path, key=KEY)
    log.reserve(entry(1))
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 512)
    log = VelocityLog.open(path, key=KEY)
    assert log.job("job1") is not None
    log.close()
    path.write_bytes(whole + b"\0" * 100 + b"rest\n")
    log = VelocityLog.open(path, key=KEY)
    assert log.job("job1") is not None
    assert path.read_bytes() == whole


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_other_damage_stops_the_signer(tmp_path_factory, data):
    place = tmp_path_factory.mktemp("log") / "velocity.log"
    VelocityLog.create(place, key=KEY)
    log = VelocityLog.open(place, key=KEY)
    for number in (1, 2, 3):
        log.reserve(entry(number))
    log.close()
    whole = place.read_bytes()
    last_line = whole.rstrip(b"\n").rindex(b"\n") + 1
    at = data.draw(st.integers(0, last_line - 2))
    damaged = bytearray(whole)
    damaged[at] = data.draw(st.integers(1, 255).filter(lambda value: value != whole[at]))
    place.write_bytes(bytes(damaged))
    with pytest.raises(LogDamaged):
        VelocityLog.open(place, key=KEY)


def test_a_line_taken_out_or_moved_is_noticed(path):
    log = VelocityLog.open(path, key=KEY)
    for number in (1, 2, 3):
        log.reserve(entry(number))
    log.close()
    head, one, two, three, _ = path.read_bytes().split(b"\n")
    for lines in ((head, one, three), (head, two, one, three), (one, two, three), (head, one, one, two, three)):
        path.write_bytes(b"\n".join(lines) + b"\n")
        with pytest.raises(LogDamaged):
            VelocityLog.open(path, key=KEY)
    path.write_bytes(b"")
    with pytest.raises(LogDamaged):
        VelocityLog.open(path, key=KEY)


def test_a_log_of_another_seed_is_not_ours(path):
    with pytest.raises(LogDamaged):
        VelocityLog.open(path, key=b"other" * 8)


def test_a_missing_log_is_not_made_anew(tmp_path):
    with pytest.raises(LogMissing):
        VelocityLog.open(tmp_path / "none.log", key=KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_second_signer_is_refused(path):
    first = VelocityLog.open(path, key=KEY)
    with pytest.raises(LogBusy):
        VelocityLog.open(path, key=KEY)
    first.close()
    VelocityLog.open(path, key=KEY).close()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_refuses_is_no_ordinary_exception(path, monkeypatch, call):
    log = VelocityLog.open(path, key=KEY)

    def broken(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, broken)
    with pytest.raises(NotDurable):
        log.reserve(entry(1))
    assert not issubclass(NotDurable, Exception)
    assert log.job("job1") is None


def test_a_short_write_is_not_durable(path, monkeypatch):
    log = VelocityLog.open(path, key=KEY)
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: real(descriptor, line[:10]))
    with pytest.raises(NotDurable):
        log.reserve(entry(1))
    monkeypatch.undo()
    assert reopened(log, path).job("job1") is None


def test_a_line_is_on_the_disk_before_it_counts(path, monkeypatch):
    log = VelocityLog.open(path, key=KEY)
    steps = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append(log.job("job1")), real(descriptor)))
    log.reserve(entry(1))
    assert steps == [None]
    assert log.job("job1") is not None


def test_transactions_conflict_only_when_they_share_a_coin_with_every_version():
    one, two = entry(1, spends={"a": "1", "b": "1"}), entry(2, spends={"b": "1", "c": "1"})
    assert conflicts(["b"], [one, two])
    assert not conflicts(["a"], [one, two])
    assert not conflicts([], [one])
    assert conflicts(["x"], [])


def test_a_job_is_reserved_once(path):
    log = VelocityLog.open(path, key=KEY)
    log.reserve(entry(1))
    with pytest.raises(AssertionError):
        log.reserve(replace(entry(1), at=2_000))
