"""How well scores agree with people, and how they fall with distortions."""
