"""The ground: what the pictures are, where their bytes lie. Nouns; nothing here computes on pixels."""
