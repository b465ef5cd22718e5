"""The mathematics: pixels in, descriptors out. No disk but weights, no cluster."""
