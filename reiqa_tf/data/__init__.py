"""Photos: lists of them, and what training makes of them: views, pairs, batches."""
