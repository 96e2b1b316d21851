"""The process that keeps a host: one per host, in namespaces of its own, with a control socket."""
