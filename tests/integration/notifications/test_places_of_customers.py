"""An endpoint of a browser comes from anybody: nothing but the browsers' own push services is taken, and no private network is
ever connected to, whatever a name answers."""

import socket
import threading

import pytest
from django.utils import timezone

from exchange.notifications.channels import web_push
from exchange.notifications.models import Delivery, PushDevice
from exchange.notifications.services import devices, sending
from exchange.outgoing import calls, places
from tests.integration.notifications.conftest import register, subscribe, tell

REAL = [
    "https://fcm.googleapis.com/fcm/send/dCkq:APA91bH",
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
    "https://web.push.apple.com/QK3",
    "https://wns2-par02p.notify.windows.com/w/?token=BQYAAA",
]
NONE = [
    "http://fcm.googleapis.com/fcm/send/x",
    "https://fcm.googleapis.com:8443/fcm/send/x",
    "https://fcm.googleapis.com.evil.example/x",
    "https://evil.example/fcm.googleapis.com",
    "https://user:word@fcm.googleapis.com/x",
    "https://fcm.googleapis.com@evil.example/x",
    "https://notify.windows.com.evil.example/",
    "https://a.b.notify.windows.com/",
    "https://notify.windows.com/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost/",
    "https://2130706433/",
    "https://metadata.google.internal/",
    "file:///etc/passwd",
    "https://fcm.googleapis.com/\r\nHost: evil.example",
    "https://fcm.googleapis.com/" + "x" * 800,
    "https://fcm.googleapis.com/ü",
    "https://fcm.googleapis.com/#x",
    "//fcm.googleapis.com/x",
    "",
]
PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "::",  # noqa: S104
    "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "198.18.0.1",
]  # fmt: skip


@pytest.mark.parametrize("endpoint", REAL)
def test_the_browsers_own_services_are_known(endpoint):
    assert web_push.service_of(endpoint) is not None


@pytest.mark.parametrize("endpoint", NONE)
def test_no_other_place_is(endpoint):
    assert web_push.service_of(endpoint) is None


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", ["https://127.0.0.1/", "https://evil.example/", "http://fcm.googleapis.com/x"])
def test_none_is_registered(ann, browser, messengers, endpoint):
    with pytest.raises(devices.DeviceInvalid):
        register(ann, "web_push", endpoint, p256dh=browser.p256dh, auth=browser.auth)
    assert not PushDevice.objects.exists()


def looks_up(monkeypatch, *addresses):
    answers = list(addresses)

    def found(host, port, *args, **kwargs):
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        end = (address, port, 0, 0) if family == socket.AF_INET6 else (address, port)
        return [(family, socket.SOCK_STREAM, 6, "", end)]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_of_a_private_network_is_refused(monkeypatch, address):
    looks_up(monkeypatch, address)
    with pytest.raises(places.NotAllowed):
        places.public("push.example", 443)
    with pytest.raises(calls.NotAllowed):
        calls.Session(seconds=5, bytes_max=100, public_only=True).post("https://push.example/x", data=b"x")


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_name_of_the_open_internet_is_not(monkeypatch, address):
    looks_up(monkeypatch, address)
    assert places.public("push.example", 443) == [address]


def test_one_private_address_among_others_is_enough_to_refuse(monkeypatch):
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **named: rows)
    with pytest.raises(places.NotAllowed):
        places.public("push.example", 443)


def test_a_name_that_changes_its_address_in_between_gains_nothing(monkeypatch):
    """DNS rebinding: public when it is asked about, this machine when it is connected to."""
    came = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def listen():
        try:
            listening.accept()
            came.set()
        except OSError:
            return

    threading.Thread(target=listen, daemon=True).start()
    looks_up(monkeypatch, "93.184.215.14", "127.0.0.1")
    port = listening.getsockname()[1]
    with pytest.raises(calls.Failed):
        calls.Session(seconds=5, bytes_max=100, public_only=True).get(f"http://push.example:{port}/")
    listening.close()
    assert not came.is_set()


@pytest.mark.django_db
def test_a_push_service_on_this_machine_is_never_called_where_tests_do_not_say_so(ann, browser, messengers, settings):
    subscribe(ann, browser, messengers)
    settings.WEB_PUSH_PRIVATE = False
    tell(ann)
    assert messengers.pushes == [] and Delivery.objects.get(channel="web_push").state == "dropped"


@pytest.mark.django_db
def test_the_list_of_places_holds_for_every_way(ann, messengers, apple, settings):
    """In production nothing is called that the settings do not name."""
    from tests.integration.notifications.conftest import APNS_TOKEN, FCM_TOKEN, give_phone

    register(ann, "fcm", FCM_TOKEN)
    register(ann, "apns", APNS_TOKEN)
    give_phone(ann)
    settings.EGRESS_ALLOWED_HOSTS = ["elsewhere.example:443"]
    tell(ann, "accounts.logged_in_from_new_device")
    assert (messengers.messages, messengers.texts, apple.pushes, apple.connections) == ([], [], [], 0)
    sending.send(of=sending.PUSHES, now=timezone.now())
    assert set(Delivery.objects.exclude(channel="email").values_list("state", flat=True)) == {"waiting"}


def test_what_is_configured_is_what_may_be_called(messengers, apple, settings):
    from config import egress

    configured = {name: getattr(settings, name) for name in (*messengers.settings(), *apple.settings())}
    configured["WEB_PUSH_SERVICES"] = ["fcm.googleapis.com", "*.notify.windows.com"]
    found = egress.allowed(configured)
    local, other = messengers.url.removeprefix("https://"), apple.url.removeprefix("https://")
    assert found == sorted({local, other, "fcm.googleapis.com:443", "*.notify.windows.com:443"})
    assert places.listed("wns2-par02p.notify.windows.com:443", found)
    assert not places.listed("a.b.notify.windows.com:443", found)
    assert not places.listed("notify.windows.com:443", found)
    assert egress.allowed({}) == []
