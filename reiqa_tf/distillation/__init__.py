"""Distillation: a small scorer learns from a large one."""
