"""Training an encoder: what it learns from, the epochs, and what is found after them."""
