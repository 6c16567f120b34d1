"""Owns calls: protocols, media, speech engines, the composition root and the command line."""
