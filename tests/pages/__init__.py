"""Every page of the site in a state with something on it, for the tests and tools that look at all of them."""
