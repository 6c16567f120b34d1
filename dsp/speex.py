"""Speex's echo canceller and its suppressor of what is left (Xiph.Org, BSD licence), for kernels to call.

The canceller is the multidelay block frequency domain filter (Soo, Pang 1990) with the learning rate of Valin (2007):
it goes on learning while both sides speak. The wheel of `pyspeex-noise` carries the library and offers the suppressor
to Python; the C functions are taken from it by name. To the linker they are symbols and not addresses, so numba can
cache the kernels that call them; this module must be imported before such a kernel is loaded.
"""

import ctypes
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from llvmlite import binding
from numba import types

SAMPLING_RATE = 24  # request of speex_echo_ctl (SPEEX_ECHO_SET_SAMPLING_RATE)
NOISE_SUPPRESS = 18  # requests of speex_preprocess_ctl: most attenuation in dB of noise, ...
ECHO_SUPPRESS = 20  # ... of the rest of the echo, ...
ECHO_SUPPRESS_ACTIVE = 22  # ... and of that while the near end speaks
ECHO_STATE = 24  # ... and whose rest

_int, _pointer = types.int32, types.intp


def _open() -> ctypes.CDLL:
    spec = find_spec("speex_noise_cpp")
    if spec is None or spec.origin is None:
        raise ImportError("the echo canceller needs the package pyspeex-noise")
    return ctypes.CDLL(spec.origin)


_LIBRARY = _open()


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """The C function `name`; pointers are integers."""
    address = ctypes.cast(getattr(_LIBRARY, name), ctypes.c_void_p).value
    binding.add_symbol(name, address)
    external: Callable[..., Any] = types.ExternalFunction(name, result(*arguments))
    return external


echo_state_init = _function("speex_echo_state_init", _pointer, _int, _int)
echo_state_destroy = _function("speex_echo_state_destroy", types.void, _pointer)
echo_ctl = _function("speex_echo_ctl", _int, _pointer, _int, _pointer)
echo_cancellation = _function("speex_echo_cancellation", types.void, _pointer, _pointer, _pointer, _pointer)
preprocess_state_init = _function("speex_preprocess_state_init", _pointer, _int, _int)
preprocess_state_destroy = _function("speex_preprocess_state_destroy", types.void, _pointer)
preprocess_ctl = _function("speex_preprocess_ctl", _int, _pointer, _int, _pointer)
preprocess_run = _function("speex_preprocess_run", _int, _pointer, _pointer)
