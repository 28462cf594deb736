"""Helpers that tests share, shipped so that those who build on the package can use them."""
