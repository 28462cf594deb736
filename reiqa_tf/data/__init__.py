"""Lists of photos with scores, and what is read from them."""
