"""Engines by name: ours are imported only when they are configured, others come by entry points."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, version
from typing import cast

from dialog.actions import Expect
from dialog.errors import ConfigurationError
from voice.plug_ins import find_plug_in, load_plug_in
from voice.speech.engines.base import Recogniser, Voice
from voice.speech.settings import EngineSettings


def open_recogniser(settings: EngineSettings) -> Recogniser:
    """Load the configured recogniser. Raises ModelMissing or ConfigurationError with the remedy."""
    if settings.recogniser == "moonshine":
        from voice.speech.engines.moonshine import Moonshine

        return Moonshine()
    if settings.recogniser == "vosk":
        from voice.speech.engines.vosk import Vosk

        grammars = {Expect(name): phrases for name, phrases in settings.grammars.items()}
        return Vosk(settings.model, settings.n_best, grammars)
    plug_in = _plug_in("centralino.recognisers", settings.recogniser)
    return cast(Callable[[EngineSettings], Recogniser], load_plug_in(plug_in, "speech.recogniser"))(settings)


def open_voice(settings: EngineSettings) -> Voice:
    """Load the configured voice. Raises ModelMissing or ConfigurationError with the remedy."""
    if settings.voice == "hibari":
        from voice.speech.engines.hibari import HibariVoice

        return HibariVoice()
    if settings.voice == "espeak":
        from voice.speech.engines.espeak import EspeakVoice

        return EspeakVoice(settings.language)
    plug_in = _plug_in("centralino.voices", settings.voice)
    return cast(Callable[[EngineSettings], Voice], load_plug_in(plug_in, "speech.voice"))(settings)


def voice_identity(settings: EngineSettings) -> str:
    """Engine, voice and version, known without loading it: the prompts cached of one voice are no other's.

    The number at the end counts changes of what this house does to the sound.
    """
    if settings.voice == "hibari":
        return f"hibari-{version('hibari-tts')}-heart.1"
    if settings.voice == "espeak":
        return f"espeak-{settings.language}.1"
    found = _plug_in("centralino.voices", settings.voice)
    return f"{settings.voice}-{found.dist.version if found.dist else 0}-{settings.language}"


def _plug_in(group: str, name: str) -> EntryPoint:
    found = find_plug_in(group, name)
    if found is None:
        raise ConfigurationError(f"no engine named {name!r} is installed (entry point group {group})")
    return found
