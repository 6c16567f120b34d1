"""Who may look: users, passwords, sessions, tokens, and the patience with those who guess."""
