"""The desk: who waits, who is there, who gets whom, and what the agent's screen is told."""
