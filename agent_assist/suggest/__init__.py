"""Suggestions from a folder of Markdown articles: full text and sentence vectors, fused; deterministic and offline.

articles   a folder, read and watched     words      what counts of a caller's phrase
full_text  SQLite FTS5, BM25              meaning    sentence vectors, compared
vectors    the child that makes them      embedder   the child's own program
ranking    both fused, and the threshold  article_suggester   the asyncio shell: the seam
"""
