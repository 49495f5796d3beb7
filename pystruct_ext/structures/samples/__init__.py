"""Small random problems of every structure, for tests."""
