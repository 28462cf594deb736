"""What every scorer is, and features of many photos: batches, cache. No Keras in here."""
