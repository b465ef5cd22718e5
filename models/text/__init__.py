"""Towers for text: words in, features in the space of an image encoder's out."""
