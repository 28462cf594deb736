"""The databases of the field, read as they are distributed."""
