"""The ground: what the pictures are, where their bytes lie. Nouns; no computing on pixels."""
