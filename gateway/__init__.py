"""Acuse: a certified-SMS gateway."""

__version__ = "0.1.0"
