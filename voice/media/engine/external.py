"""C functions that compiled code calls: the system's for sockets and clock, libopus, libsrtp.

A kernel that holds a pointer of ctypes cannot be cached by numba. One that names an external symbol can: the address is
given to LLVM when this module is imported, before any such kernel is loaded, under a name of our own.
"""

import ctypes
import socket
import sys
from collections.abc import Callable
from typing import Any, cast

import llvmlite.binding
import pylibsrtp._binding
from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from dsp.kernel import kernel
from voice.media.engine.layout import Counters
from voice.media.opus import library

_i32, _pointer = types.int32, types.intp


def _external(name: str, address: int, result: types.Type, *arguments: types.Type) -> Any:
    symbol = f"centralino_{name}"
    llvmlite.binding.add_symbol(symbol, address)
    return types.ExternalFunction(symbol, result(*arguments))


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None, "a function that was found has an address"
    return address


def _libsrtp(name: str) -> int:
    binding = pylibsrtp._binding
    return int(binding.ffi.cast("intptr_t", binding.ffi.addressof(binding.lib, name)))


_libc = ctypes.CDLL(None)

BATCHED = hasattr(_libc, "recvmmsg")
"""Whether one system call takes all packets that wait at a socket (not on macOS)."""

recvmmsg = _external("recvmmsg", _address(_libc.recvmmsg if BATCHED else _libc.recv), _i32,
                     _i32, _pointer, types.uint32, _i32, _pointer)  # fmt: skip
sendmmsg = _external("sendmmsg", _address(_libc.sendmmsg if BATCHED else _libc.send), _i32,
                     _i32, _pointer, types.uint32, _i32)  # fmt: skip
recvfrom = _external("recvfrom", _address(_libc.recvfrom), _pointer, _i32, _pointer, _pointer, _i32, _pointer, _pointer)
sendto = _external("sendto", _address(_libc.sendto), _pointer, _i32, _pointer, _pointer, _i32, _pointer, types.uint32)
write = _external("write", _address(_libc.write), _pointer, _i32, _pointer, _pointer)
clock_gettime = _external("clock_gettime", _address(_libc.clock_gettime), _i32, _i32, _pointer)
nanosleep = _external("nanosleep", _address(_libc.nanosleep), _i32, _pointer, _pointer)

opus_decode = _external("opus_decode", _address(library().opus_decode), _i32,
                        _pointer, _pointer, _i32, _pointer, _i32, _i32)  # fmt: skip
opus_encode = _external("opus_encode", _address(library().opus_encode), _i32,
                        _pointer, _pointer, _i32, _pointer, _i32)  # fmt: skip

llvmlite.binding.add_symbol("centralino_opus_encoder_ctl", _address(library().opus_encoder_ctl))

srtp_protect = _external("srtp_protect", _libsrtp("srtp_protect"), _i32, _pointer, _pointer, _pointer)
srtp_unprotect = _external("srtp_unprotect", _libsrtp("srtp_unprotect"), _i32, _pointer, _pointer, _pointer)

DONT_WAIT = int(socket.MSG_DONTWAIT)

CLOCK = 6 if sys.platform == "darwin" else 1
"""CLOCK_MONOTONIC, which `time.monotonic_ns` reads too."""


def _ordered(operate: Callable[[ir.IRBuilder, ir.Value, Any], ir.Value]) -> Callable[..., Any]:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]], source_etype=ir.IntType(64))
        return operate(builder, place, arguments)

    return generate


def _load_acquire(_context: Any, array: Any, index: Any) -> Any:
    """array[index]; what the other thread wrote before it stored this is seen after it. A plain read may be taken out
    of a loop by the compiler, and then is never seen to change."""
    return types.int64(array, types.intp), _ordered(lambda b, p, _: b.load_atomic(p, "acquire", 8))


def _store_release(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index] = value; whoever reads it with `load_acquire` sees all that this thread wrote before."""

    def operate(builder: ir.IRBuilder, place: ir.Value, arguments: Any) -> ir.Value:
        builder.store_atomic(arguments[2], place, "release", 8)
        return arguments[2]

    return types.int64(array, types.intp, types.int64), _ordered(operate)


def _sample_at(_context: Any, address: Any, index: Any) -> Any:
    """Sample `index` of the int16 samples that somebody else keeps at an address."""

    def generate(_target: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> ir.Value:
        pointer = builder.inttoptr(arguments[0], ir.IntType(16).as_pointer())
        return builder.load(builder.gep(pointer, [arguments[1]], source_etype=ir.IntType(16)))

    return types.int16(types.int64, types.int64), generate


def _set_encoder(_context: Any, encoder: Any, request: Any, value: Any) -> Any:
    """opus_encoder_ctl(encoder, request, value). It takes what follows the request as C's variadic functions do, which
    on some machines is not how others take it."""

    def generate(_target: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> ir.Value:
        module, name = builder.module, "centralino_opus_encoder_ctl"
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(64), ir.IntType(32)], var_arg=True)
        return builder.call(module.globals.get(name) or ir.Function(module, kind, name), arguments)

    return types.int32(types.int64, types.int32, types.int32), generate


load_acquire = cast("Callable[[Counters, int], int]", intrinsic(_load_acquire))
store_release = cast("Callable[[Counters, int, int], int]", intrinsic(_store_release))
sample_at = cast("Callable[[int, int], int]", intrinsic(_sample_at))
opus_encoder_ctl = cast("Callable[[int, int, int], int]", intrinsic(_set_encoder))


@kernel("i8(i8[::1], i8)")
def observe(array: Counters, index: int) -> int:
    """For Python: a counter that a thread of the engine stores."""
    return load_acquire(array, index)


@kernel("void(i8[::1], i8, i8)")
def publish(array: Counters, index: int, value: int) -> None:
    """For Python: store a counter that a thread of the engine reads."""
    store_release(array, index, value)
