"""Audio time: legs and what they share, recordings, and the engine that carries all sound in ticks of 20 ms."""
