"""Steps from an empty file to today's tables; shipped in the package and run at open."""
