"""What the speech child is to load, and how it behaves: one value, sent to the child as it is."""

import msgspec


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The recogniser and the voice of one node.

    `recogniser` is `moonshine`, `vosk` or a plug-in of the entry point group `centralino.recognisers`; `model` is the
    path or name of its model where it takes one. `voice` is `hibari`, `espeak` or of `centralino.voices`; `language`
    is what a voice of many languages speaks. `nice` lowers the child's priority below that of media.
    """

    recogniser: str = "moonshine"
    model: str = ""
    n_best: int = 1
    grammars: dict[str, tuple[str, ...]] = {}
    voice: str = "hibari"
    language: str = "en"
    threads: int = 2
    nice: int = 5
