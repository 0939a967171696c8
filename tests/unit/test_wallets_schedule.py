"""The timetable of the wallets names tasks that exist, on the queue that the worker takes."""

from __future__ import annotations

from wallets import schedule, tasks

NETWORKS = ("bitcoin", "litecoin", "ethereum")


def test_every_entry_names_a_task_of_this_room_on_its_queue():
    names = {task.name for task in vars(tasks).values() if hasattr(task, "delay")}
    entries = schedule.beat_schedule(networks=NETWORKS, seconds=2.0)
    # All of them but the one that is sent for a single withdrawal.
    assert {entry["task"] for entry in entries.values()} == names - {"wallets.advance_withdrawal"}
    assert all(entry["options"]["queue"] == "chain" for entry in entries.values())
    assert all(entry["options"]["expires"] > entry["schedule"] for entry in entries.values())


def test_every_network_is_scanned_and_looked_after():
    entries = schedule.beat_schedule(networks=NETWORKS)
    for task in ("wallets.scan", "wallets.check_network"):
        assert {entry["args"] for entry in entries.values() if entry["task"] == task} == {
            (network,) for network in NETWORKS
        }
