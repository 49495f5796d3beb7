"""The command line ``pystruct-ext``."""
