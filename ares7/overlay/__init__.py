"""Overlays: tilts around a book of stocks. Engines, their blend, and its application to base weights."""
