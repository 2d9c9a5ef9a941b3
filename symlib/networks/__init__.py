"""Graphs, the graph network and its message rules, FlatHGN."""
