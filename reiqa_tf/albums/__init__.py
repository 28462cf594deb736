"""Scored photos together: in order, with near-duplicates and bursts, as a table or a page."""
