"""The Wine host: prefix, wineserver, agent, processes, mounts and namespaces."""
