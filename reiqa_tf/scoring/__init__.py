"""Many photos in, features and scores out: reading ahead, batches by size, the feature cache."""
