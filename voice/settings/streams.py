"""`[streams]`: calls that come as audio streams from other platforms; each is off until it is configured."""

import base64
import binascii
from pathlib import Path

from pydantic import Field, SecretStr

from dialog.errors import ConfigurationError
from voice.settings.base import LOOPBACK, Address, Networks, Port, Section, secret_of, within

ANYWHERE = ("0.0.0.0/0", "::/0")


class PlatformSettings(Section):
    """A platform that connects to the web side, and proves itself by a secret; without one it is off."""

    secret_file: Path | None = Field(default=None, description="file with the secret")
    secret: SecretStr = Field(default=SecretStr(""), description="environment only")
    peers: Networks = Field(default=ANYWHERE, description="addresses or networks it connects from")

    @property
    def on(self) -> bool:
        """Whether it is served."""
        return self.secret_file is not None or bool(self.secret.get_secret_value())

    def allows(self, address: str) -> bool:
        """Whether a connection from `address` is taken at all."""
        return within(address, self.peers)

    def key(self, name: str) -> bytes:
        """The secret of the platform `name`. Raises ConfigurationError when it is of no use, or something lacks."""
        path = f"streams.{name}.secret_file"
        key = secret_of(path, self.secret_file, self.secret)
        if not key:
            raise ConfigurationError(f"{path}: {self.secret_file}: the file is empty")
        return key


class TwilioSettings(PlatformSettings):
    """Twilio Media Streams at /api/media/twilio. The secret is the account's auth token."""

    url: str = Field(
        default="", pattern=r"^(wss://[^\s?#]+)?$", description="the `<Stream>`'s URL, to the letter: Twilio signs it"
    )

    def key(self, name: str) -> bytes:
        if not self.url:
            raise ConfigurationError(f"streams.{name}.url: it is needed, because Twilio signs it")
        return super().key(name)


class AsteriskSettings(PlatformSettings):
    """Asterisk's chan_websocket at /api/media/asterisk. The secret is the password that it sends."""


class FreeswitchSettings(PlatformSettings):
    """FreeSWITCH's mod_audio_fork at /api/media/freeswitch. The secret is the password that it sends."""


class GenesysSettings(PlatformSettings):
    """Genesys Cloud AudioHook at /api/media/genesys. The secret is the client secret, base64 as Genesys has it."""

    api_key: str = Field(default="", description="the integration's API key, which says whose signature it is")

    def key(self, name: str) -> bytes:
        if not self.api_key:
            raise ConfigurationError(f"streams.{name}.api_key: it is needed, because it says whose signature it is")
        try:
            return base64.b64decode(super().key(name), validate=True)
        except binascii.Error:
            raise ConfigurationError(f"streams.{name}.secret: it is no base64") from None


class AudioSocketSettings(Section):
    """Asterisk's AudioSocket, by TCP. It has neither secret nor encryption: keep it to a network of your own."""

    host: Address = Field(default=LOOPBACK, description="address to bind")
    port: Port = Field(default=0, description="TCP port; 0: off")
    peers: Networks = Field(default=("127.0.0.0/8",), description="addresses or networks calls are taken from")

    def allows(self, address: str) -> bool:
        """Whether a connection from `address` is taken at all."""
        return within(address, self.peers)


class MediaStreamSettings(Section):
    """Calls that come as audio streams from other platforms; each of these is off until it is configured."""

    twilio: TwilioSettings = TwilioSettings()
    audiosocket: AudioSocketSettings = AudioSocketSettings()
    asterisk: AsteriskSettings = AsteriskSettings()
    freeswitch: FreeswitchSettings = FreeswitchSettings()
    genesys: GenesysSettings = GenesysSettings()
