"""How long tasks take: distributions, and the file that names them."""
