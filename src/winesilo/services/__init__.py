"""Services of a silo: state, configuration, start and stop.

Nothing is imported here: the command line needs the model only, and impacket, for the rest, takes longer to
load than most commands to run.
"""
