"""The media plane (in building): this file shows the seam other rooms write against."""

import asyncio

from voice.media.codecs import FrameCodec, G711Name
from voice.media.wires import Wire
from voice.ports import Leg


class MediaPlane:
    """All legs of the node and the thread that moves them, 20 ms a step."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, capacity: int = 64) -> None:
        self._loop = loop
        self._capacity = capacity

    def add_leg(
        self,
        wire: Wire,
        codec: G711Name | FrameCodec,
        payload_type: int,
        event_payload_type: int | None,
    ) -> Leg:
        """Give `wire` a leg from the next tick on. Raises Overloaded when every row is taken."""
        raise NotImplementedError
