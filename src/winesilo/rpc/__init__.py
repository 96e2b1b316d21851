"""MS-RPC over the pipes of silos, and what else services need from inside the host.

impacket is imported in this package only.
"""
