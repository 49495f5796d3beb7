"""Structured-output prediction with structural SVMs."""

__version__ = "0.1.0"
