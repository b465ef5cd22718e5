"""The same work as somebody would do it without Nightjar, each as its own documentation teaches."""
