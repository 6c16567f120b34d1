"""What the commands do; `voice/cli.py` names their options. Each is imported only when it is run."""
