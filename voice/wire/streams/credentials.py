"""How a platform proves that a stream is its own: by what it puts into the request that opens the WebSocket."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

AHEAD_S = 10
"""A signature may be so much younger than our clock thinks."""

_NAMES = r'"[a-z@-]{1,64}"(?: "[a-z@-]{1,64}"){0,15}'
_VALUE = r'"[^"\\]{0,256}"|[0-9]{1,12}'
_INPUT = re.compile(rf"([a-z*][a-z0-9_.*-]{{0,31}})=(\(({_NAMES})\)(?:;[a-z]{{1,16}}=(?:{_VALUE})){{1,8}})")
_PARAMETER = re.compile(rf";([a-z]{{1,16}})=({_VALUE})")
_SIGNED = (
    "@request-target",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
)


def password_matches(headers: Mapping[str, str], password: bytes) -> bool:
    """HTTP's Basic, whatever the name in it, or Bearer (RFC 7617, RFC 6750)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            given = value.strip().encode()
        case "basic":
            try:
                given = base64.b64decode(value.strip(), validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return False
        case _:
            return False
    return hmac.compare_digest(given, password)


def twilio_signature(url: str, token: bytes) -> str:
    """What X-Twilio-Signature has to be: `url` is that of the TwiML, to the letter; a WebSocket has no form to sign.

    Source: twilio.com/docs/usage/security.
    """
    return base64.b64encode(hmac.new(token, url.encode(), hashlib.sha1).digest()).decode()


def twilio_matches(headers: Mapping[str, str], url: str, token: bytes) -> bool:
    """Whether the account whose `token` this is opened the stream."""
    return hmac.compare_digest(headers.get("x-twilio-signature", "").encode(), twilio_signature(url, token).encode())


def audiohook_matches(headers: Mapping[str, str], target: str, api_key: str, secret: bytes, now: float) -> bool:
    """Whether Genesys Cloud opened the stream, at `now` (Unix time), by a request for `target` (path and query).

    HTTP message signatures, as they were in the draft of October 2021 (draft-ietf-httpbis-message-signatures-08, later
    RFC 9421): what is signed differs from the RFC in "@request-target" alone.
    Source: developer.genesys.cloud/devapps/audiohook/security.
    """
    found = _INPUT.fullmatch(headers.get("signature-input", ""))
    if found is None:
        return False
    label, signed, names = found.groups()
    components = [name.strip('"') for name in names.split()]
    parameters = {name: value.strip('"') for name, value in _PARAMETER.findall(signed)}
    if (parameters.get("alg"), parameters.get("keyid"), headers.get("x-api-key")) != ("hmac-sha256", api_key, api_key):
        return False
    created, expires = parameters.get("created", ""), parameters.get("expires", "")
    if not (created.isdecimal() and expires.isdecimal() and int(created) - AHEAD_S <= now <= int(expires)):
        return False
    values = {**headers, "@request-target": target, "@authority": headers.get("host", "").lower()}
    if not {*_SIGNED} <= {*components} <= values.keys() or not {"@authority", "host"} & {*components}:
        return False
    base = "\n".join([*(f'"{name}": {values[name]}' for name in components), f'"@signature-params": {signed}'])
    right = base64.b64encode(hmac.new(secret, base.encode(), hashlib.sha256).digest()).decode()
    return hmac.compare_digest(headers.get("signature", "").encode(), f"{label}=:{right}:".encode())
