"""Copies, since an array cannot be assigned to a slice of another in a kernel (dsp.kernel)."""

from dsp.kernel import Bytes, Pcm, i16, kernel


@kernel("void(u1[::1], u1[::1], i8)")
def copy(source: Bytes, into: Bytes, count: int) -> None:
    """The first `count` octets."""
    for i in range(count):
        into[i] = source[i]


@kernel("void(i2[::1], i2[::1])")
def copy_samples(source: Pcm, into: Pcm) -> None:
    """As many as `into` has."""
    for i in range(into.size):
        into[i] = source[i]


@kernel("void(i2[::1], i8)")
def silence(out: Pcm, first: int) -> None:
    """From sample `first` on."""
    for i in range(first, out.size):
        out[i] = i16(0)
