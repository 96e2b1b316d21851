"""Silos: their life, their files, their registry, and what is on disk."""
