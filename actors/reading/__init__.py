"""How definition files are read: text to nodes with their places, within bounds; nodes to checked shapes."""
