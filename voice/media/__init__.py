"""Audio time: wires, jitter buffers, codecs, voice activity, playout and the 20 ms tick that moves them all."""
