"""Photos: how they are found, listed with scores, split, and read from published databases."""
