"""Who a stream is from: the signatures of the platforms' own documentation, and what is not theirs."""

import base64

import pytest

from voice.wire.streams.credentials import audiohook_matches, password_matches, twilio_matches, twilio_signature

API_KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
SECRET = base64.b64decode("TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=")
TARGET = "/api/v1/voicebiometrics/ws"
HEADERS = {
    "host": "audiohook.example.com",
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "x-api-key": API_KEY,
    "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
    "signature-input": (
        'sig1=("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" '
        f'"audiohook-correlation-id" "x-api-key");keyid="{API_KEY}";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";'
        'alg="hmac-sha256";created=1641013200;expires=3282026430'
    ),
}
"""The worked example of developer.genesys.cloud/devapps/audiohook/security."""
NOW = 1_700_000_000.0


def signed_by_genesys(
    changed: dict[str, str] | None = None, *, now: float = NOW, target: str = TARGET, api_key: str = API_KEY
) -> bool:
    return audiohook_matches(HEADERS | (changed or {}), target, api_key, SECRET, now)


def test_the_example_of_genesys_is_theirs() -> None:
    assert signed_by_genesys()


@pytest.mark.parametrize(
    "change",
    [
        {"audiohook-session-id": "another"},
        {"host": "audiohook.example.org"},
        {"x-api-key": "another"},
        {"signature": "sig1=:AAAA:"},
        {"signature": ""},
        {"signature-input": ""},
        {"signature-input": 'sig1=();keyid="x"'},
        {"signature-input": HEADERS["signature-input"].replace('"x-api-key"', '"x-missing"')},
        {"signature-input": HEADERS["signature-input"].replace(' "audiohook-session-id"', "")},
        {"signature-input": HEADERS["signature-input"].replace('"@authority" ', "")},
        {"signature-input": HEADERS["signature-input"].replace("hmac-sha256", "rsa-v1_5-sha256")},
        {"signature-input": HEADERS["signature-input"].replace(";expires=3282026430", "")},
        {"signature-input": HEADERS["signature-input"].replace("3282026430", "9999999999")},
        {"signature-input": "sig1=(" + '"a" ' * 5_000 + ")"},
    ],
)
def test_what_was_changed_is_not_theirs(change: dict[str, str]) -> None:
    assert not signed_by_genesys(change)


def test_another_request_time_or_key_is_not_theirs() -> None:
    assert not signed_by_genesys(target=TARGET + "?x")
    assert not signed_by_genesys(api_key="another")
    assert not signed_by_genesys(now=3_282_026_431.0), "expired"
    assert not signed_by_genesys(now=1_641_013_100.0), "not made yet"
    assert signed_by_genesys(now=1_641_013_195.0), "by a clock that runs ahead of ours"


def test_twilio_signs_the_url() -> None:
    """The value was made by `openssl dgst -sha1 -hmac 12345 -binary | base64`."""
    url = "wss://voice.example.com/api/media/twilio"
    header = {"x-twilio-signature": "WosXNcJXb5qKu+JDHYAzB3NL49U="}
    assert twilio_signature(url, b"12345") == "WosXNcJXb5qKu+JDHYAzB3NL49U="
    assert twilio_matches(header, url, b"12345")
    assert not twilio_matches(header, url + "/", b"12345")
    assert not twilio_matches(header, url, b"1234")
    assert not twilio_matches({}, url, b"12345")
    assert not twilio_matches({"x-twilio-signature": "é"}, url, b"12345")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("given", [basic("asterisk:open sesame"), basic(":open sesame"), "bearer open sesame"])
def test_the_password_opens(given: str) -> None:
    assert password_matches({"authorization": given}, b"open sesame")


@pytest.mark.parametrize("given", ["", "Basic", "Basic !", "Digest x", basic("open sesame"), basic("a:b"), "Bearer x"])
def test_nothing_else_does(given: str) -> None:
    assert not password_matches({"authorization": given}, b"open sesame")
