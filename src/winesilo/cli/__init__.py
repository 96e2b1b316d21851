"""The command line: one file per command group; arguments go to the API, results become text or JSON."""
