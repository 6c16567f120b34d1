"""The published language (events, actions), turn-taking, the journal, and the bot. Knows no audio."""
