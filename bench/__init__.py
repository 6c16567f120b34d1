"""Every figure of the project, each measured by one command: python -m bench."""
