"""The keystore's key wrapped by a Vault: against a local server that speaks the transit engine's documented format."""

import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from custody import ceremony_log, keystore, private_files
from custody.key_sources import VaultFailed
from custody.keystore import KeystoreUnreadable, PassphraseFile
from custody.vault import VaultTransit

from .conftest import CHEAP, ROOT

TOKEN = "hvs.CAESIJlmZvCsKkO1-a-token-of-this-test"
SEED = bytes(range(64))


class Vault:
    """POST /v1/transit/encrypt/bourse and /decrypt/bourse, as developer.hashicorp.com/vault/api-docs/secret/transit prints them:
    base64 in and out, `{"data": {"ciphertext": "vault:v1:…"}}`, `{"data": {"plaintext": "…"}}`, `{"errors": ["…"]}`.

    The key is derived=true and AEAD: another context or other associated data does not decrypt.
    """

    def __init__(self, context=None):
        self.asked = []
        self.answer_with = None
        self.namespace = ""
        self.secret = os.urandom(32)
        vault = self

        class Page(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                vault.asked.append((self.path, dict(self.headers), body))
                status, answer = vault.answer(self.path, self.headers, body)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"{'https' if context else 'http'}://127.0.0.1:{self.server.server_port}"

    def answer(self, path, headers, body):
        if self.answer_with:
            return self.answer_with
        if headers.get("X-Vault-Token") != TOKEN or headers.get("X-Vault-Namespace", "") != self.namespace:
            return 403, {"errors": ["permission denied"]}
        if path not in ("/v1/transit/encrypt/bourse", "/v1/transit/decrypt/bourse"):
            return 404, {"errors": ["no handler for route"]}
        if not body.get("context"):
            return 400, {"errors": ["missing 'context' for key derivation; the key was created using a derived key"]}
        derived = hashlib.sha256(self.secret + base64.b64decode(body["context"])).digest()
        bound = base64.b64decode(body.get("associated_data", ""))
        if "encrypt" in path:
            nonce = os.urandom(12)
            sealed = nonce + AESGCM(derived).encrypt(nonce, base64.b64decode(body["plaintext"]), bound)
            return 200, {"data": {"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode(), "key_version": 1}}
        sealed = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
        try:
            plaintext = AESGCM(derived).decrypt(sealed[:12], sealed[12:], bound)
        except InvalidTag:
            return 400, {"errors": ["invalid ciphertext: unable to decrypt"]}
        return 200, {"data": {"plaintext": base64.b64encode(plaintext).decode()}}


@pytest.fixture
def vault():
    made = Vault()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "signer"
    place.mkdir(mode=0o700)
    private_files.write_new(place / "token", TOKEN.encode() + b"\n")
    private_files.write_new(place / "passphrase", b"a passphrase for this test alone\n")
    return place


def key_of(vault, folder, **changes):
    return VaultTransit(**({"address": vault.address, "token_file": folder / "token", "key": "bourse"} | changes))


def made_keystore(vault, folder, **changes):
    path = folder / "keystore.json"
    keystore.create(path, key=key_of(vault, folder, **changes), seed=SEED, fingerprint="01020304")
    return path


def test_a_seed_sealed_by_vault_comes_back_and_only_a_data_key_passed_the_wire(vault, folder):
    path = made_keystore(vault, folder)
    assert keystore.open_seed(path, key=key_of(vault, folder)) == SEED
    assert [(where, headers["X-Vault-Token"]) for where, headers, _ in vault.asked] == [
        ("/v1/transit/encrypt/bourse", TOKEN),
        ("/v1/transit/decrypt/bourse", TOKEN),
    ]
    for _, _, body in vault.asked:
        assert set(body) == {"context", "associated_data", "plaintext" if "plaintext" in body else "ciphertext"}
        for value in body.values():
            assert SEED not in base64.b64decode(value.removeprefix("vault:v1:"))
    assert len(base64.b64decode(vault.asked[0][2]["plaintext"])) == 32
    assert b"vault:v1:" in path.read_bytes()
    assert vault.address.encode() not in path.read_bytes()


def test_the_head_is_bound_to_the_key(vault, folder):
    """Vault is told the head, and a head that somebody changed is another context: it does not unwrap."""
    path = made_keystore(vault, folder)
    body = json.loads(path.read_text())
    private_files.replace(path, json.dumps(body | {"fingerprint": "ffffffff"}).encode())
    with pytest.raises(VaultFailed, match=r"refused the request.*unable to decrypt"):
        keystore.open_seed(path, key=key_of(vault, folder))


def test_a_namespace_is_sent_where_there_is_one(vault, folder):
    vault.namespace = "exchange/custody"
    path = made_keystore(vault, folder, namespace="exchange/custody")
    assert keystore.open_seed(path, key=key_of(vault, folder, namespace="exchange/custody")) == SEED
    with pytest.raises(VaultFailed, match="does not allow this token"):
        keystore.open_seed(path, key=key_of(vault, folder))


ANSWERS = [
    ((403, {"errors": ["permission denied"]}), "does not allow this token.*permission denied"),
    ((404, {"errors": []}), "no such engine or key"),
    ((400, {"errors": ["bad"]}), "refused the request.*bad"),
    ((503, {"errors": ["Vault is sealed"]}), "sealed or down"),
    ((500, b"oops"), "answered with 500"),
    ((307, {}), "answered with 307"),
    ((200, b"<html>"), "answered with 200"),
    ((200, {"data": {}}), "without a"),
    ((200, {"data": {"plaintext": 5, "ciphertext": 5}}), "without a"),
    ((200, {"data": {"plaintext": "!", "ciphertext": "x"}}), "without a"),
    ((200, b" " * 200_000), "larger than"),
]


@pytest.mark.parametrize(("answer", "sentence"), ANSWERS)
def test_what_vault_answers_amiss_is_said_in_a_sentence_without_the_token(vault, folder, answer, sentence):
    path = made_keystore(vault, folder)
    vault.answer_with = answer
    for attempt in (
        lambda: keystore.open_seed(path, key=key_of(vault, folder)),
        lambda: keystore.create(folder / "other", key=key_of(vault, folder), seed=SEED, fingerprint="x"),
    ):
        with pytest.raises(VaultFailed, match=sentence) as failed:
            attempt()
        assert TOKEN not in str(failed.value)
    assert not (folder / "other").exists()


def test_a_vault_that_is_not_there_or_not_safe_is_refused(vault, folder, monkeypatch):
    path = made_keystore(vault, folder)
    with pytest.raises(VaultFailed, match="cannot be reached"):
        keystore.open_seed(path, key=key_of(vault, folder, address="http://127.0.0.1:9"))
    for address in ("http://vault.example", "ftp://127.0.0.1", "vault.example:8200"):
        with pytest.raises(VaultFailed, match="must begin with https"):
            key_of(vault, folder, address=address)
    for changes in ({"key": "../sys"}, {"mount": "a/../b"}, {"key": ""}):
        with pytest.raises(VaultFailed, match="characters"):
            key_of(vault, folder, **changes)
    with pytest.raises(VaultFailed, match="the settings name transit/other"):
        keystore.open_seed(path, key=key_of(vault, folder, key="other"))
    with pytest.raises(KeystoreUnreadable, match="wrapped by vault-transit"):
        keystore.open_seed(path, key=PassphraseFile(folder / "passphrase"))
    (folder / "token").chmod(0o644)
    with pytest.raises(private_files.FileExposed):
        keystore.open_seed(path, key=key_of(vault, folder))


def test_a_vault_that_does_not_answer_in_time_is_given_up(vault, folder, monkeypatch):
    path = made_keystore(vault, folder)
    release = threading.Event()
    monkeypatch.setattr("custody.vault.TIMEOUT_S", (5, 0.2))
    monkeypatch.setattr(Vault, "answer", lambda *arguments: (release.wait(60), (500, {}))[1])
    with pytest.raises(VaultFailed, match="did not answer in time"):
        keystore.open_seed(path, key=key_of(vault, folder))
    release.set()


def certificate(folder, host="127.0.0.1"):
    """A certificate of its own authority, as an operator's own Vault often has."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


def test_a_certificate_is_checked(folder):
    vault = Vault(certificate(folder))
    try:
        path = made_keystore(vault, folder, ca_file=str(folder / "ca.pem"))
        assert keystore.open_seed(path, key=key_of(vault, folder, ca_file=str(folder / "ca.pem"))) == SEED
        asked = len(vault.asked)
        with pytest.raises(VaultFailed, match="certificate"):
            keystore.open_seed(path, key=key_of(vault, folder))
        assert len(vault.asked) == asked
    finally:
        vault.server.shutdown()
        vault.server.server_close()


# --- from one to the other --------------------------------------------------------------------------------------------


def test_a_keystore_goes_from_one_key_to_the_other_and_back(vault, folder):
    path = folder / "keystore.json"
    passphrase, transit = PassphraseFile(folder / "passphrase"), key_of(vault, folder)
    keystore.create(path, key=passphrase, seed=SEED, fingerprint="01020304", cost=CHEAP)
    keystore.rewrap(path, old=passphrase, new=transit)
    assert keystore.wrapped_by(path) == "vault-transit"
    assert keystore.open_seed(path, key=transit) == SEED
    with pytest.raises(KeystoreUnreadable):
        keystore.open_seed(path, key=passphrase)
    keystore.rewrap(path, old=transit, new=passphrase, cost=CHEAP)
    assert (keystore.open_seed(path, key=passphrase), keystore.fingerprint_of(path)) == (SEED, "01020304")


def test_a_rewrapping_that_fails_leaves_the_old_keystore(vault, folder):
    path = folder / "keystore.json"
    passphrase, transit = PassphraseFile(folder / "passphrase"), key_of(vault, folder)
    keystore.create(path, key=passphrase, seed=SEED, fingerprint="01020304", cost=CHEAP)
    before = path.read_bytes()
    vault.answer_with = (503, {"errors": ["Vault is sealed"]})
    with pytest.raises(VaultFailed):
        keystore.rewrap(path, old=passphrase, new=transit)
    vault.answer_with = (200, {"data": {"ciphertext": "vault:v1:AAAA", "plaintext": ""}})
    with pytest.raises(VaultFailed):
        keystore.rewrap(path, old=passphrase, new=transit)
    assert path.read_bytes() == before


def test_the_commands_work_on_a_vault(vault, folder):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.signer",
        "KEYSTORE_PATH": str(folder / "keystore.json"),
        "VELOCITY_LOG_PATH": str(folder / "velocity.log"),
        "SIGNER_DATABASE_URL": "postgresql://bourse_signer@127.0.0.1:9/nothing",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "KEYSTORE_VAULT_ADDR": vault.address,
        "KEYSTORE_VAULT_TOKEN_FILE": str(folder / "token"),
        "KEYSTORE_VAULT_KEY": "bourse",
    }

    def run(*arguments, **variables):
        command = [sys.executable, "manage.py", "custody", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment | variables, capture_output=True, text=True)

    made = run("init", "--public", str(folder / "public.json"))
    assert made.returncode == 0, made.stderr
    assert keystore.wrapped_by(folder / "keystore.json") == "vault-transit"
    moved = run("rewrap", "--to", "passphrase", KEYSTORE_PASSPHRASE_FILE=str(folder / "passphrase"))
    assert moved.returncode == 0, moved.stderr
    shown = run("show", KEYSTORE_PASSPHRASE_FILE=str(folder / "passphrase"))
    assert json.loads(shown.stdout) == json.loads((folder / "public.json").read_text())
    (line,) = ceremony_log.read(folder / "ceremony.log")
    assert (line["event"], line["from"], line["to"]) == ("rewrap", "vault-transit", "argon2id")
    missing = run("rewrap", "--to", "passphrase")
    assert (missing.returncode, "KEYSTORE_PASSPHRASE_FILE is not set" in missing.stderr) == (1, True)
    vault.answer_with = (503, {"errors": ["Vault is sealed"]})
    sealed = run("rewrap", "--to", "vault", KEYSTORE_PASSPHRASE_FILE=str(folder / "passphrase"))
    assert (sealed.returncode, "CommandError: Vault is sealed or down" in sealed.stderr) == (1, True)
