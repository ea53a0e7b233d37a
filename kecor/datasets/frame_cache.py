"""A bounded memory of frames that were read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from kecor.structures import Frame


class FrameCache:
    """Calls ``read`` once per frame and keeps the results while their points fit in ``max_bytes``.

    The least recently used frames are dropped first. Kept arrays are read-only, so that code which would change them
    for the next reader fails at once. A pickled cache is empty: each worker fills its own.
    """

    def __init__(self, read: Callable[[str], Frame], max_bytes: int) -> None:
        self.read = read
        self.max_bytes = max_bytes
        self.frames: OrderedDict[str, Frame] = OrderedDict()
        self.bytes = 0

    def __call__(self, frame_id: str) -> Frame:
        if frame_id in self.frames:
            self.frames.move_to_end(frame_id)
            return self.frames[frame_id]
        frame = self.read(frame_id)
        frame.points.flags.writeable = False
        frame.boxes.flags.writeable = False
        self.frames[frame_id] = frame
        self.bytes += frame.points.nbytes
        while self.bytes > self.max_bytes:
            _, oldest = self.frames.popitem(last=False)
            self.bytes -= oldest.points.nbytes
        return frame

    def __getstate__(self) -> dict:
        return {**self.__dict__, "frames": OrderedDict(), "bytes": 0}
