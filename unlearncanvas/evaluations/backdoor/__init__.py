"""The backdoor evaluation: inject backdoors with text triggers, remove them, score."""
