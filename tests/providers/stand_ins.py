"""Small local servers in the place of Google, Facebook, X and Apple.

Each speaks its provider's documented endpoints under the same paths, shows a page with a button to whoever comes to log in, and
refuses what the provider would refuse: another client, a code used twice or by another client, a wrong secret, a PKCE verifier
that does not fit, another return address than the one that was asked for.

Documents: https://developers.google.com/identity/openid-connect/openid-connect
https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code and …/x-api/users/user-lookup-me
https://developer.apple.com/documentation/signinwithapplerestapi
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PAGE = (
    '<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><link rel=icon href="data:,">'
    "<body>{body}</body></html>"
)


@cache
def signing_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def apple_client_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def signed_with_public_key(claims: dict[str, Any], kid: str) -> str:
    """The provider's public key, which everybody has, taken for a shared secret. (PyJWT refuses to make such a token.)"""
    parts = [{"alg": "HS256", "kid": kid, "typ": "JWT"}, claims]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    secret = signing_key("the provider's").public_key().public_bytes(encoding, form)
    signature = hmac.new(secret, text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@dataclass
class Grant:
    """What a code stands for."""

    client_id: str
    redirect_uri: str
    asked: dict[str, str]
    person: dict[str, Any]


class Refusal(Exception):
    """What the provider would answer with an error."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.why, self.status = why, status


@dataclass
class StandIn:
    """One provider; a test sets `person`, and looks at `refused` and `asked`."""

    name: str = ""
    client_id: str = "our-client"
    secret: str = "our-secret"
    person: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)  # authorization requests
    refused: list[str] = field(default_factory=list)
    codes: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    claims: dict[str, Any] = field(
        default_factory=dict
    )  # what a test puts in an id_token in place of what belongs there
    signed_by: str = "the provider's"
    needs_pkce = False

    def __post_init__(self) -> None:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in._serve(self, dict(parse_qsl(urlsplit(self.path).query)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                stand_in._serve(self, dict(parse_qsl(body)))

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def environment(self) -> dict[str, str]:
        """What the operator would set, and where we stand."""
        prefix = self.name.upper()
        return {
            f"{prefix}_CLIENT_ID": self.client_id,
            f"{prefix}_CLIENT_SECRET": self.secret,
            f"{prefix}_URL": self.url,
        }

    # What a person does there.

    def granted(self, authorize_url: str, *, client_id: str | None = None) -> dict[str, str]:
        """Somebody who is sent there agrees: the parameters that come back. Without a browser."""
        asked = dict(parse_qsl(urlsplit(authorize_url).query))
        if client_id is not None:
            asked["client_id"] = client_id
        return self._grant(asked, any_client=client_id is not None)

    def _grant(self, asked: dict[str, str], *, any_client: bool = False) -> dict[str, str]:
        if asked.get("client_id") != self.client_id and not any_client:
            raise Refusal("unknown client")
        if asked.get("response_type") != "code":
            raise Refusal("unsupported response type")
        if not asked.get("redirect_uri", "").startswith("http://"):
            raise Refusal("no redirect_uri")
        if not asked.get("state"):
            raise Refusal("no state")
        if self.needs_pkce and (asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge")):
            raise Refusal("no code challenge")
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = Grant(asked["client_id"], asked["redirect_uri"], asked, dict(self.person))
        return {"code": code, "state": asked["state"]}

    def spent(self, given: dict[str, str]) -> Grant:
        """The grant behind a code that the exchange brings; a code is good once."""
        grant = self.codes.pop(given.get("code", ""), None)
        if grant is None:
            raise Refusal("invalid_grant: unknown code")
        if grant.client_id != self.client_id:
            raise Refusal("invalid_grant: code of another client")
        if given.get("redirect_uri") != grant.redirect_uri:
            raise Refusal("invalid_grant: another redirect_uri")
        if challenge := grant.asked.get("code_challenge"):
            digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
                raise Refusal("invalid_grant: PKCE")
        return grant

    def access_token(self, grant: Grant) -> str:
        token = secrets.token_urlsafe(24)
        self.tokens[token] = grant
        return token

    def id_token(self, *, nonce: str | None = None, algorithm: str = "RS256", kid: str = "key-1", **claims: Any) -> str:
        now = int(time.time())
        body = {"iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 3600, **self.person}
        if nonce is not None:
            body["nonce"] = nonce
        body |= {**self.claims, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        if algorithm == "HS256":
            return signed_with_public_key(body, kid)
        key = signing_key(self.signed_by) if algorithm == "RS256" else None
        return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})

    @staticmethod
    def keys() -> dict[str, Any]:
        public = signing_key("the provider's").public_key()
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(public))
        return {"keys": [{**jwk, "kid": "key-1", "alg": "RS256", "use": "sig"}]}

    # What the server answers.

    def _serve(self, handler: BaseHTTPRequestHandler, given: dict[str, str]) -> None:
        try:
            status, kind, body = 200, "application/json", self.answer(handler, urlsplit(handler.path).path, given)
        except Refusal as refusal:
            self.refused.append(refusal.why)
            status, kind, body = refusal.status, "application/json", {"error": {"message": refusal.why}}
        if isinstance(body, str):
            kind, payload = "text/html", body.encode()
        else:
            payload = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)

    def answer(self, handler: BaseHTTPRequestHandler, path: str, given: dict[str, str]) -> Any:
        raise NotImplementedError

    def consent(self, given: dict[str, str]) -> str:
        """The page a person sees. A link of the provider's own leads back, as its button does."""
        back = self._grant(given)
        leads = f"{given['redirect_uri']}?{urlencode(back)}"
        cancels = f"{given['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': given['state']})}"
        body = f'<a href="{html.escape(leads)}">Continue as Bob</a> <a href="{html.escape(cancels)}">Cancel</a>'
        return PAGE.format(name=self.name, body=body)


@dataclass
class Google(StandIn):
    """For tokens that a test forges; the real flow is run against a real OpenID provider."""

    name: str = "google"
    needs_pkce = True

    def answer(self, handler: BaseHTTPRequestHandler, path: str, given: dict[str, str]) -> Any:
        if path == "/o/oauth2/v2/auth":
            return self.consent(given)
        if path == "/oauth2/v3/certs":
            return self.keys()
        if path != "/token" or handler.command != "POST":
            raise Refusal("no such address", 404)
        if (given.get("client_id"), given.get("client_secret")) != (self.client_id, self.secret):
            raise Refusal("invalid_client", 401)
        grant = self.spent(given)
        self.person = grant.person
        return {
            "access_token": self.access_token(grant),
            "token_type": "Bearer",
            "expires_in": 3599,
            "id_token": self.id_token(nonce=grant.asked.get("nonce")),
        }


@dataclass
class Facebook(StandIn):
    name: str = "facebook"

    def answer(self, handler: BaseHTTPRequestHandler, path: str, given: dict[str, str]) -> Any:
        if path == "/v23.0/dialog/oauth":
            return self.consent(given)
        if path == "/.well-known/oauth/openid/jwks/":
            return self.keys()
        if path == "/v23.0/oauth/access_token":
            if (given.get("client_id"), given.get("client_secret")) != (self.client_id, self.secret):
                raise Refusal("Error validating client secret.")
            return {"access_token": self.access_token(self.spent(given)), "token_type": "bearer", "expires_in": 5183944}
        if path == "/v23.0/debug_token":
            if given.get("access_token") != f"{self.client_id}|{self.secret}":
                raise Refusal("Invalid OAuth access token signature.", 401)
            grant = self.tokens.get(given.get("input_token", ""))
            if grant is None:
                return {"data": {"is_valid": False, "error": {"code": 190}}}
            return {
                "data": {"is_valid": True, "app_id": grant.client_id, "type": "USER", "user_id": grant.person["id"]}
            }
        if path != "/v23.0/me":
            raise Refusal("Unknown path components", 404)
        grant = self.tokens.get(given.get("access_token", ""))
        proof = hmac.new(self.secret.encode(), given.get("access_token", "").encode(), hashlib.sha256).hexdigest()
        if grant is None or not hmac.compare_digest(given.get("appsecret_proof", ""), proof):
            raise Refusal("Invalid OAuth 2.0 Access Token", 401)
        wanted = given.get("fields", "").split(",")
        return {name: value for name, value in grant.person.items() if name in wanted}


@dataclass
class X(StandIn):
    name: str = "x"
    needs_pkce = True

    def answer(self, handler: BaseHTTPRequestHandler, path: str, given: dict[str, str]) -> Any:
        if path == "/i/oauth2/authorize":
            if not {"users.read", "tweet.read"} <= set(given.get("scope", "").split()):
                raise Refusal("scope")
            return self.consent(given)
        authorization = handler.headers.get("Authorization", "")
        if path == "/2/oauth2/token" and handler.command == "POST":
            basic = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            if authorization != f"Basic {basic}" or "client_secret" in given:
                raise Refusal("Missing valid authorization header", 401)
            if not given.get("code_verifier") or given.get("grant_type") != "authorization_code":
                raise Refusal("Missing required parameter")
            token = self.access_token(self.spent(given))
            return {"token_type": "bearer", "expires_in": 7200, "access_token": token, "scope": "users.read tweet.read"}
        grant = self.tokens.get(authorization.removeprefix("Bearer "))
        if path != "/2/users/me" or grant is None:
            raise Refusal("Unauthorized", 401)
        return {"data": grant.person} if grant.person else {"errors": [{"title": "Not Found Error"}]}


@dataclass
class Apple(StandIn):
    name: str = "apple"
    secret: str = "KEY1234567"
    team: str = "TEAM123456"

    def environment(self) -> dict[str, str]:
        return {
            "APPLE_CLIENT_ID": self.client_id,
            "APPLE_KEY_ID": self.secret,
            "APPLE_TEAM_ID": self.team,
            "APPLE_PRIVATE_KEY": pem(apple_client_key()),
            "APPLE_URL": self.url,
        }

    def answer(self, handler: BaseHTTPRequestHandler, path: str, given: dict[str, str]) -> Any:
        if path == "/auth/authorize":
            return self.consent(given)
        if path == "/auth/keys":
            return self.keys()
        if path != "/auth/token" or handler.command != "POST":
            raise Refusal("not found", 404)
        self._client_is_known(given)
        grant = self.spent(given)
        self.person = grant.person
        return {
            "access_token": self.access_token(grant),
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": secrets.token_urlsafe(16),
            "id_token": self.id_token(nonce=grant.asked.get("nonce")),
        }

    def _client_is_known(self, given: dict[str, str]) -> None:
        """https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret"""
        try:
            given_secret = given["client_secret"]
            header = jwt.get_unverified_header(given_secret)
            claims = jwt.decode(given_secret, apple_client_key().public_key(), algorithms=["ES256"], audience=self.url)
        except (KeyError, jwt.PyJWTError) as error:
            raise Refusal(f"invalid_client: {error}") from None
        told = (header.get("kid"), claims["iss"], claims["sub"], given.get("client_id"))
        if told != (self.secret, self.team, self.client_id, self.client_id):
            raise Refusal("invalid_client: of somebody else")
        if not 0 < claims["exp"] - time.time() <= 15_777_000:
            raise Refusal("invalid_client: its life")

    def consent(self, given: dict[str, str]) -> str:
        """Apple posts back from its own site, because an address was asked for."""
        if given.get("response_mode") != "form_post":
            raise Refusal("response_mode must be form_post when name or email scope is requested.")
        back = self._grant(given)
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in back.items()
        )
        body = f'<form method="post" action="{html.escape(given["redirect_uri"])}">{fields}<button>Continue as Bob</button>'
        return PAGE.format(name=self.name, body=body + "</form>")
