"""Runs and analyses in the background, for many visitors."""
