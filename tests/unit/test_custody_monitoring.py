"""The signer's small page: ready only while the database has answered lately."""

from custody import monitoring


def test_it_is_ready_only_after_a_look_and_not_long_after(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(monitoring.time, "monotonic", lambda: clock[0])
    ready = monitoring.Readiness()
    assert not ready()
    ready.looked(waiting=3)
    assert ready()
    clock[0] += monitoring.READY_AGE_MAX_S - 1
    assert ready()
    clock[0] += 2
    assert not ready()
