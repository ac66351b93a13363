"""Labels of the rows that every attack has."""

CLEAN, POISONED = "clean model", "poisoned"
