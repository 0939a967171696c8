"""The velocity log stays short, and forgets nothing that matters: neither a withdrawal nor what a coin is worth."""

import os
from pathlib import Path

import pytest

from custody import velocity
from custody.velocity import KEEP_S, LogBusy, LogDamaged, NotDurable, Reservation, VelocityLog

KEY = b"k" * 32
NOW = 10_000_000


def entry(number, *, at, replaces="", spends=None):
    return Reservation(
        f"job{number}",
        at,
        f"d{number}",
        {"bitcoin": 10},
        spends or {f"bitcoin:{number}:0": "500"},
        (f"w{number}",),
        replaces,
    )


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(velocity, "COMPACTED_AT_ONCE_MIN", 3)
    place = tmp_path / "velocity.log"
    VelocityLog.create(place, key=KEY)
    return place


def opened(path):
    return VelocityLog.open(path, key=KEY)


def filled(path):
    """Five old payments, one of which was replaced lately, and two new ones."""
    log = opened(path)
    for number in range(5):
        log.reserve(entry(number, at=1_000 + number))
    log.reserve(entry("4b", at=NOW - 60, replaces="job4", spends={"bitcoin:4:0": "500"}))
    for number in (5, 6):
        log.reserve(entry(number, at=NOW - 50 + number))
    return log


def check_nothing_is_forgotten(log):
    for number in range(4):
        assert log.long_ago(f"w{number}"), number
        assert log.contradicts(f"bitcoin:{number}:0", "501"), number
        assert not log.contradicts(f"bitcoin:{number}:0", "500"), number
        assert log.job(f"job{number}") is None
    for number in ("4", "5", "6"):
        assert not log.long_ago(f"w{number}")
        assert log.contradicts(f"bitcoin:{number}:0", "1")
    assert not log.long_ago("never")
    assert not log.contradicts("bitcoin:never:0", "1")
    assert [each.job_id for each in log.versions("job4")] == ["job4", "job4b"]
    assert log.charged("bitcoin", since=NOW - 86_400) == 30
    assert log.clock(0) == NOW - 44


def test_old_payments_go_into_the_archive_and_are_still_known(path):
    log = filled(path)
    before = path.stat().st_size
    assert log.compact(now=NOW) == 4
    assert path.stat().st_size < before
    check_nothing_is_forgotten(log)
    log.reserve(entry(7, at=NOW))
    log.close()
    again = opened(path)
    assert again.job("job7") is not None
    assert again.compact(now=NOW) == 0
    again.close()


def test_a_second_archive_holds_what_the_first_held(path):
    log = filled(path)
    assert log.compact(now=NOW) == 4
    assert log.compact(now=NOW + KEEP_S + 3_600) == 4
    later = NOW + KEEP_S + 3_600
    for number in range(7):
        assert log.long_ago(f"w{number}")
        assert log.contradicts(f"bitcoin:{number}:0", "1")
    for number in range(10, 13):
        log.reserve(entry(number, at=later))
    log.close()
    log = opened(path)
    assert log.long_ago("w0")
    assert [each.name for each in path.parent.iterdir() if "archive" in each.name] == ["velocity.log.archive-2"]
    log.close()


def test_few_old_lines_are_not_worth_it(path):
    log = opened(path)
    for number in range(2):
        log.reserve(entry(number, at=1_000))
    assert log.compact(now=NOW) == 0
    log.close()
    log = filled_with_new(path)
    assert log.compact(now=NOW) == 0


def filled_with_new(path):
    log = opened(path)
    for number in range(10, 20):
        log.reserve(entry(number, at=NOW))
    return log


@pytest.mark.parametrize("step", range(1, 12))
def test_a_crash_at_any_step_of_it_loses_nothing(path, monkeypatch, step):
    """The n-th thing that the disk is asked to do fails, as in a crash; a new start finds one whole log or the other."""
    log = filled(path)
    asked = []

    def failing(name, real):
        def call(*arguments, **more):
            asked.append(name)
            if len(asked) >= step:
                raise OSError(28, "No space left on device")
            return real(*arguments, **more)

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "link", "unlink"):
            patch.setattr(os, name, failing(name, getattr(os, name)))
        patch.setattr(Path, "replace", failing("replace", Path.replace))
        try:
            log.compact(now=NOW)
            finished = True
        except (OSError, NotDurable):
            finished = False
    log.close()
    assert finished or len(asked) >= step
    log = opened(path)
    if log.job("job0") is None:
        check_nothing_is_forgotten(log)
    assert {each.job_id for number in ("4", "5", "6") for each in log.paid(f"w{number}")} >= {"job4", "job5", "job6"}
    log.compact(now=NOW)
    check_nothing_is_forgotten(log)
    log.close()


def test_a_log_that_is_used_after_a_failed_shortening_is_whole(path, monkeypatch):
    log = filled(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", lambda *arguments: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            log.compact(now=NOW)
    log.reserve(entry(8, at=NOW))
    log.close()
    log = opened(path)
    assert log.job("job0") and log.job("job8")
    log.close()


def test_an_archive_that_was_altered_or_is_gone_stops_the_signer(path):
    log = filled(path)
    log.compact(now=NOW)
    log.close()
    (archive,) = path.parent.glob("*.archive-*")
    whole = archive.read_bytes()
    for at in (0, 30, 50, len(whole) - 1):
        archive.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(LogDamaged):
            opened(path)
    for content in (b"", whole[:-1], whole + b"x"):
        archive.write_bytes(content)
        with pytest.raises(LogDamaged):
            opened(path)
    archive.write_bytes(whole)
    opened(path).close()
    archive.unlink()
    with pytest.raises(LogDamaged, match="is missing"):
        opened(path)


def test_an_older_archive_in_place_of_the_newer_one_is_noticed(path):
    log = filled(path)
    log.compact(now=NOW)
    first = path.with_name("velocity.log.archive-1").read_bytes()
    log.compact(now=NOW + KEEP_S + 3_600)
    log.close()
    path.with_name("velocity.log.archive-2").write_bytes(first)
    with pytest.raises(LogDamaged):
        opened(path)


def test_the_shortened_log_is_locked_like_the_old_one(path):
    log = filled(path)
    log.compact(now=NOW)
    with pytest.raises(LogBusy):
        opened(path)
    log.close()
    opened(path).close()
