"""Arrays in, arrays out: numba kernels batched over calls. Knows no call, no clock, no socket."""
